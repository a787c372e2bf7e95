select
    unique_id,
    ds,
    commits,
    new_stars,
    issues_opened,
    prs_opened,
    prs_merged,
    contributors,
    (commits_coverage + new_stars_coverage + issues_opened_coverage + prs_opened_coverage) / 4 as coverage,
    commits_estimated
from {{ ref('repository_weeks') }}
