{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_unfinished() }}") }}

select
    file_id,
    line,
    type as kind,
    case when action is null then created_at end as known_until,
    case when action = 'anew' then created_at end as begun_anew,
    repository,
    repo_id,
    seen_at
from {{ source('bronze', 'arriving') }}
where kind = 'walk'
