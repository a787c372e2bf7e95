-- The histories as they stand: of the API each item as it was seen last, of files and totals the newest one of its kind.
with items as (
    select
        items.*,
        landed.kind as file_kind,
        landed.known_until,
        landed.source || '/' || landed.part as file_key
    from {{ ref('items') }} as items
    inner join {{ source('bronze', 'landed') }} as landed on landed.file_id = items.file_id
),

newest_files as (
    select source || '/' || part as file_key, max(file_id) as file_id
    from {{ source('bronze', 'landed') }}
    where kind = 'snapshot'
    group by 1
),

current_items as (
    select items.*
    from items
    left join newest_files on newest_files.file_key = items.file_key
    where items.file_kind <> 'snapshot' or newest_files.file_id = items.file_id
    qualify row_number() over (
        partition by items.file_kind, items.item_key,
            case when items.file_kind = 'snapshot' and items.item_id is null then items.line end
        order by items.seen_at desc, items.file_id desc, items.line desc
    ) = 1
)

select
    current_items.*,
    coalesce(repositories.unique_id, former_names.unique_id, current_items.repository) as unique_id,
    {{ week_ending('current_items.created_at') }} as week
from current_items
left join {{ ref('repositories') }} as repositories on repositories.repo_id = current_items.repo_id
left join {{ ref('former_names') }} as former_names
    on former_names.repository = current_items.repository and current_items.repo_id is null
