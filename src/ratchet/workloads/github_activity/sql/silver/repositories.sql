-- A repository is called what it was called last.
select repo_id, repository as unique_id
from {{ ref('repository_names') }}
qualify row_number() over (partition by repo_id order by last_seen desc, first_seen desc, repository) = 1
