{{ config(pre_hook="{{ choose_landed(['sample_history']) }}") }}

select repository as unique_id, week as ds, commits, new_stars, issues_opened, prs_opened
from read_csv(
    getvariable('landed_files'),
    auto_detect = false, header = true, delim = ',', quote = '"',
    columns = {
        'repository': 'varchar', 'week': 'date', 'commits': 'bigint', 'new_stars': 'bigint', 'issues_opened': 'bigint', 'prs_opened': 'bigint'
    }
)
