{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['repo_id', 'repository']) }}

with arrived as (
    select
        repo_id,
        repository,
        min(coalesce(seen_at, created_at)) as first_seen,
        max(coalesce(seen_at, created_at)) as last_seen
    from {{ source('bronze', 'arriving') }}
    where repo_id is not null and repository is not null
    group by repo_id, repository
),

known as (
    select repo_id, repository, first_seen, last_seen from arrived
    {% if is_incremental() %}
    union all
    select known.repo_id, known.repository, known.first_seen, known.last_seen
    from {{ this }} as known
    inner join arrived on arrived.repo_id = known.repo_id and arrived.repository = known.repository
    {% endif %}
)

select repo_id, repository, min(first_seen) as first_seen, max(last_seen) as last_seen
from known
group by repo_id, repository
