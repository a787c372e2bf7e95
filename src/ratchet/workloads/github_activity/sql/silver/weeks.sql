-- Every complete week since the first record, and how much of it has landed: distinct hours of 168. A file of which nothing could be read
-- shows no hour; an empty one shows a quiet hour.
with first_week as (
    select least(
        coalesce((select min(week) from {{ ref('actor_weeks') }}), {{ last_complete_week() }}),
        coalesce((select min(week) from {{ ref('known_items') }}), {{ last_complete_week() }})
    ) as ds
),

dates as (
    select cast({{ dbt.dateadd('day', '7 * numbers.n', 'first_week.ds') }} as date) as ds
    from first_week
    cross join {{ numbers() }} as numbers
),

every_week as (
    select ds from dates where ds <= {{ last_complete_week() }}
),

hours as (
    select {{ week_ending('hour') }} as ds, count(distinct hour) as hours
    from {{ source('bronze', 'landed') }}
    where kind = 'hours' and (records = 0 or rejected < records)
    group by 1
)

select every_week.ds, coalesce(hours.hours, 0) as hours, cast(coalesce(hours.hours, 0) as double) / 168 as coverage
from every_week
left join hours on hours.ds = every_week.ds
