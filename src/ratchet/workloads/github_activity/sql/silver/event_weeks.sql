-- What the archive says, by the name that a repository has today; of one whose name another one has by now, nothing.
select
    coalesce(repositories.unique_id, former_names.unique_id, weeks.repository) as unique_id,
    weeks.week,
    cast(sum(weeks.commits) as bigint) as commits,
    sum(weeks.estimated_pushes) > 0 as commits_estimated,
    cast(sum(weeks.new_stars) as bigint) as new_stars,
    cast(sum(weeks.issues_opened) as bigint) as issues_opened,
    cast(sum(weeks.prs_opened) as bigint) as prs_opened,
    cast(sum(weeks.prs_merged) as bigint) as prs_merged,
    count(distinct case
        when not weeks.is_bot and weeks.commits + weeks.issues_opened + weeks.prs_opened > 0 then weeks.actor
    end) as contributors
from {{ ref('actor_weeks') }} as weeks
left join {{ ref('repositories') }} as repositories on repositories.repo_id = weeks.repo_id
left join {{ ref('former_names') }} as former_names on former_names.repository = lower(weeks.repository)
where weeks.week <= {{ last_complete_week() }} and coalesce(repositories.has_name, former_names.has_name, true)
group by 1, 2
