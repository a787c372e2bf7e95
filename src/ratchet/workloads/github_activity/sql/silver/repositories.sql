-- A repository is called what it was called last. Another one may have that name since: one that was made anew, renamed or transferred.
with called as (
    select repo_id, repository, last_seen
    from {{ ref('repository_names') }}
    qualify row_number() over (partition by repo_id order by last_seen desc, first_seen desc, repository) = 1
)

select
    repo_id,
    repository as unique_id,
    row_number() over (partition by lower(repository) order by last_seen desc, repo_id desc) = 1 as has_name
from called
