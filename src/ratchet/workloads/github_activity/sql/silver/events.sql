{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_unfinished() }}") }}

-- The crawler's pages overlap, so the same event may be in a file twice, or again in a later one: the first one that was read stays.
with arrived as (
    select
        *,
        {{ week_ending('created_at') }} as week
    from {{ source('bronze', 'arriving') }}
    where kind = 'event'
    qualify row_number() over (partition by event_key order by file_id, line) = 1
)

select
    file_id,
    line,
    week,
    event_key,
    event_id,
    type,
    created_at,
    repository,
    repo_id,
    actor,
    actor_email,
    {{ is_bot('actor') }} as is_bot,
    action,
    language,
    commits,
    commits_estimated,
    case when type = 'WatchEvent' and action = 'started' then 1 else 0 end as new_stars,
    case when type = 'IssuesEvent' and action = 'opened' then 1 else 0 end as issues_opened,
    case when type = 'PullRequestEvent' and action = 'opened' then 1 else 0 end as prs_opened,
    case when merged_at is not null then 1 else 0 end as prs_merged
from arrived
{% if is_incremental() %}
where not exists (
    select 1
    from {{ this }} as known
    where known.week = arrived.week and known.event_key = arrived.event_key
)
{% endif %}
