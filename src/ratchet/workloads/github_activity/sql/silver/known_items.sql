-- The histories as they stand: of the API each item as it was seen last, unless it is gone since, of files and totals the newest one of its kind.
with items as (
    select
        items.*,
        landed.kind as file_kind,
        landed.known_until,
        lower(landed.source || '/' || landed.part) as file_key
    from {{ ref('items') }} as items
    inner join {{ source('bronze', 'landed') }} as landed on landed.file_id = items.file_id
),

newest_files as (
    select lower(source || '/' || part) as file_key, max(file_id) as file_id
    from {{ source('bronze', 'landed') }}
    where kind = 'snapshot'
    group by 1
),

-- A walk through all there is that had to begin anew names all that is still there.
walked_anew as (
    select repo_id, kind, max(begun_anew) as begun_anew
    from {{ ref('walks') }}
    group by repo_id, kind
),

current_items as (
    select items.*
    from items
    left join newest_files on newest_files.file_key = items.file_key
    left join walked_anew on walked_anew.repo_id = items.repo_id and walked_anew.kind = items.kind
    where (items.file_kind <> 'snapshot' or newest_files.file_id = items.file_id)
        and (walked_anew.begun_anew is null or items.seen_at >= walked_anew.begun_anew)
    qualify row_number() over (
        partition by items.file_kind, items.item_key,
            case when items.file_kind = 'snapshot' and items.item_id is null then items.line end
        order by items.seen_at desc, items.file_id desc, items.line desc
    ) = 1
),

-- A file names a repository as it was called when it landed, in any case; the name may have been another's before.
owners as (
    select
        lower(repository) as name,
        repo_id,
        lag(first_seen) over (partition by lower(repository) order by first_seen, repo_id) is null as is_first,
        first_seen,
        lead(first_seen) over (partition by lower(repository) order by first_seen, repo_id) as next_seen
    from {{ ref('repository_names') }}
)

select
    current_items.*,
    coalesce(repositories.unique_id, current_items.repository) as unique_id,
    {{ week_ending('current_items.created_at') }} as week
from current_items
left join owners
    on owners.name = lower(current_items.repository) and current_items.repo_id is null
    and (owners.is_first or owners.first_seen <= current_items.seen_at)
    and (owners.next_seen is null or current_items.seen_at < owners.next_seen)
left join {{ ref('repositories') }} as repositories
    on repositories.repo_id = coalesce(current_items.repo_id, owners.repo_id)
where not current_items.is_gone
    -- What the API listed of another one that had the name is no history of the one that has it.
    and (current_items.file_kind <> 'items' or coalesce(repositories.has_name, true))
