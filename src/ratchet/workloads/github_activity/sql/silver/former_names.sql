-- Whose a name was first, in lower case, as GitHub makes no difference: for events that carry no id.
with first_owner as (
    select lower(repository) as repository, repo_id
    from {{ ref('repository_names') }}
    qualify row_number() over (partition by lower(repository) order by first_seen, repo_id) = 1
)

select first_owner.repository, first_owner.repo_id, repositories.unique_id, repositories.has_name
from first_owner
inner join {{ ref('repositories') }} as repositories on repositories.repo_id = first_owner.repo_id
