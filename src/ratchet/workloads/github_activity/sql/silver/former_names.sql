-- Whose a name was first, for events and histories that carry no id.
with first_owner as (
    select repository, repo_id
    from {{ ref('repository_names') }}
    qualify row_number() over (partition by repository order by first_seen, repo_id) = 1
)

select first_owner.repository, repositories.unique_id
from first_owner
inner join {{ ref('repositories') }} as repositories on repositories.repo_id = first_owner.repo_id
