-- depends_on: {{ ref('touched_weeks') }}
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='week') }}

-- Where an event carries its repository's id, the name it had then no longer matters.
select
    week,
    repo_id,
    case when repo_id is null then repository end as repository,
    actor,
    is_bot,
    cast(sum(commits) as bigint) as commits,
    cast(sum(case when commits_estimated then 1 else 0 end) as bigint) as estimated_pushes,
    cast(sum(new_stars) as bigint) as new_stars,
    cast(sum(issues_opened) as bigint) as issues_opened,
    cast(sum(prs_opened) as bigint) as prs_opened,
    cast(sum(prs_merged) as bigint) as prs_merged
from {{ ref('events') }}
where
    repository is not null
    and (type = 'PushEvent' or new_stars + issues_opened + prs_opened + prs_merged > 0)
    {% if is_incremental() %}
    and week in (select week from {{ ref('touched_weeks') }})
    {% endif %}
group by week, repo_id, case when repo_id is null then repository end, actor, is_bot
