{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_unfinished() }}") }}

select
    file_id,
    line,
    type as kind,
    created_at as known_until,
    repository,
    repo_id,
    seen_at
from {{ source('bronze', 'arriving') }}
where kind = 'walk'
