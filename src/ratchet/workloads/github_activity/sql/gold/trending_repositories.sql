-- The newest complete week against the mean of the eight before it, in standard deviations of a count with that mean.
with weeks as (
    select unique_id, ds, new_stars, commits + issues_opened + prs_opened as activity
    from {{ ref('weekly_activity') }}
    where ds > {{ last_complete_week() }} - 63
),

compared as (
    select
        unique_id,
        cast(sum(case when ds = {{ last_complete_week() }} then new_stars else 0 end) as bigint) as new_stars,
        cast(sum(case when ds = {{ last_complete_week() }} then activity else 0 end) as bigint) as activity,
        cast(sum(case when ds < {{ last_complete_week() }} then new_stars else 0 end) as double) / 8 as usual_stars,
        cast(sum(case when ds < {{ last_complete_week() }} then activity else 0 end) as double) / 8 as usual_activity
    from weeks
    group by unique_id
),

scored as (
    select
        *,
        (new_stars - usual_stars) / sqrt(usual_stars + 1) + 0.5 * (activity - usual_activity) / sqrt(usual_activity + 1) as score
    from compared
)

select
    {{ last_complete_week() }} as ds,
    cast(row_number() over (order by score desc, unique_id) as integer) as place,
    unique_id,
    new_stars,
    usual_stars,
    activity,
    usual_activity,
    score
from scored
where score > 0
qualify row_number() over (order by score desc, unique_id) <= 100
