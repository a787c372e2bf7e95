{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_unfinished() }}") }}

select
    file_id,
    line,
    kind,
    event_id as item_id,
    event_key as item_key,
    created_at,
    repository,
    repo_id,
    actor,
    actor_email,
    {{ is_bot('actor') }} as is_bot,
    merged_at,
    seen_at,
    coalesce(action = 'gone', false) as is_gone,
    commits,
    new_stars,
    issues_opened,
    prs_opened
from {{ source('bronze', 'arriving') }}
where kind not in ('event', 'walk')
