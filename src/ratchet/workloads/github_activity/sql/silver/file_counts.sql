{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_unfinished() }}") }}

-- Each outcome is counted where it lies, none as what is left over; a duplicate is one whose twin is in silver.
with kept as (
    select file_id, count(*) as kept from {{ ref('events') }} where file_id >= {{ first_arriving() }} group by file_id
    union all
    select file_id, count(*) as kept from {{ ref('items') }} where file_id >= {{ first_arriving() }} group by file_id
    union all
    select file_id, count(*) as kept from {{ ref('walks') }} where file_id >= {{ first_arriving() }} group by file_id
),

duplicates as (
    select arriving.file_id, count(*) as duplicates
    from {{ source('bronze', 'arriving') }} as arriving
    inner join {{ ref('events') }} as events
        on events.week = {{ week_ending('arriving.created_at') }} and events.event_key = arriving.event_key
    where arriving.kind = 'event' and (events.file_id <> arriving.file_id or events.line <> arriving.line)
    group by arriving.file_id
),

rejected as (
    select file_id, count(*) as rejected from {{ source('bronze', 'arriving_rejected') }} group by file_id
)

select
    landed.file_id,
    landed.source,
    landed.hour,
    landed.part,
    landed.records,
    coalesce(kept.kept, 0) as events,
    coalesce(duplicates.duplicates, 0) as duplicates,
    coalesce(rejected.rejected, 0) as rejected
from {{ source('bronze', 'landed') }} as landed
left join (select file_id, sum(kept) as kept from kept group by file_id) as kept on kept.file_id = landed.file_id
left join duplicates on duplicates.file_id = landed.file_id
left join rejected on rejected.file_id = landed.file_id
where landed.unfinished
