-- Lines read = events in silver + duplicates + rejected; duplicates counted on their own, not as what is left over.
with counted as (
    select
        (select count(*) from {{ ref('parsed_lines') }}) as lines_read,
        (select count(*) from {{ ref('events') }}) as events,
        (select count(*) from {{ ref('rejected_events') }}) as rejected,
        (
            select coalesce(sum(copies - 1), 0)
            from (
                select count(*) as copies
                from {{ ref('parsed_lines') }}
                where reason is null
                group by type, event_id, created_at, repository
            ) as keys
        ) as duplicates
)

select *
from counted
where lines_read <> events + duplicates + rejected
