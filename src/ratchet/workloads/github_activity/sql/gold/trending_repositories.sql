-- The newest complete week against the mean of the eight before it, in standard deviations of a count with that mean. Weeks that were
-- not seen are no part of the mean; before its first week a repository is quiet.
with weeks as (
    select
        unique_id,
        ds,
        max(case when target = 'new_stars' then y end) as new_stars,
        case when count(case when target <> 'new_stars' then y end) = 3 then sum(case when target <> 'new_stars' then y end) end as activity
    from {{ ref('whole_weeks') }}
    where ds > {{ last_complete_week() }} - 63
    group by unique_id, ds
),

compared as (
    select
        unique_id,
        {% for name, usual in [('new_stars', 'usual_stars'), ('activity', 'usual_activity')] -%}
        cast(max(case when ds = {{ last_complete_week() }} then {{ name }} end) as bigint) as {{ name }},
        cast(coalesce(sum(case when ds < {{ last_complete_week() }} then {{ name }} end), 0) as double)
            / nullif(8 - count(case when ds < {{ last_complete_week() }} and {{ name }} is null then 1 end), 0) as {{ usual }}
        {{- ',' if not loop.last }}
        {% endfor %}
    from weeks
    group by unique_id
),

scored as (
    select
        *,
        coalesce((new_stars - usual_stars) / sqrt(usual_stars + 1), 0)
        + coalesce(0.5 * (activity - usual_activity) / sqrt(usual_activity + 1), 0) as score
    from compared
)

select
    {{ last_complete_week() }} as ds,
    cast(row_number() over (order by score desc, unique_id) as integer) as place,
    unique_id,
    score,
    new_stars,
    usual_stars,
    activity,
    usual_activity
from scored
where score > 0
qualify row_number() over (order by score desc, unique_id) <= 100
