{{ config(materialized='view') }}

-- What gold judges a week by, and nothing is judged by a week that was not seen.
with counted as (
    {{ long_series(
        ref('repository_weeks'),
        ['commits', 'new_stars', 'issues_opened', 'prs_opened'],
        {'coverage': 'TARGET_coverage'}
    ) }}
)

select unique_id, target, ds, {{ whole_count('y', 'coverage') }} as y
from counted
