{{ config(materialized='view') }}

-- What a build's log says: of whom the archive counts no more, since another repository has the name now.
with left_out as (
    select
        coalesce(repositories.unique_id, former_names.unique_id) as unique_id,
        coalesce(repositories.repo_id, former_names.repo_id) as repo_id,
        cast(sum(weeks.commits + weeks.new_stars + weeks.issues_opened + weeks.prs_opened) as bigint) as size
    from {{ ref('actor_weeks') }} as weeks
    left join {{ ref('repositories') }} as repositories on repositories.repo_id = weeks.repo_id
    left join {{ ref('former_names') }} as former_names on former_names.repository = lower(weeks.repository)
    where not coalesce(repositories.has_name, former_names.has_name, true)
    group by 1, 2
)

select
    unique_id || ' was repository ' || repo_id || ', and is another one now: what the archive has of the former counts no more, '
    || size || ' in all of commits, stars, issues and pull requests' as notice,
    size
from left_out
where size > 0
