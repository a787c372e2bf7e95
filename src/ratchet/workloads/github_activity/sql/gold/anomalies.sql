-- Weeks that stand out of their own series, by two methods. Robust z: 0.6745 (y - median) / MAD beyond 3.5, or, where more than half of
-- the weeks are equal, (y - median) / (1.2533 mean absolute deviation) (Iglewicz and Hoaglin 1993). IQR: beyond 1.5 times the
-- interquartile range from the quartiles (Tukey 1977). A series of which fewer than eight weeks were seen has no usual week.
with series as (
    select unique_id, target, ds, y from {{ ref('whole_weeks') }} where y is not null
),

usual as (
    select
        unique_id,
        target,
        median(y) as middle,
        percentile_cont(0.25) within group (order by y) as q1,
        percentile_cont(0.75) within group (order by y) as q3
    from series
    group by unique_id, target
    having count(*) >= 8
),

spread as (
    select
        series.unique_id,
        series.target,
        median(abs(series.y - usual.middle)) as mad,
        avg(abs(series.y - usual.middle)) as mean_deviation
    from series
    inner join usual on usual.unique_id = series.unique_id and usual.target = series.target
    group by series.unique_id, series.target
),

scored as (
    select
        series.unique_id,
        series.target,
        series.ds,
        series.y,
        usual.middle,
        usual.q1,
        usual.q3,
        case
            when spread.mad > 0 then 0.6745 * (series.y - usual.middle) / spread.mad
            when spread.mean_deviation > 0 then (series.y - usual.middle) / (1.253314 * spread.mean_deviation)
            else 0
        end as z
    from series
    inner join usual on usual.unique_id = series.unique_id and usual.target = series.target
    inner join spread on spread.unique_id = series.unique_id and spread.target = series.target
)

select unique_id, target, ds, 'robust_z' as method, y, middle as expected, z as score, cast(3.5 as double) as threshold
from scored
where abs(z) > 3.5
union all
select
    unique_id,
    target,
    ds,
    'iqr' as method,
    y,
    middle as expected,
    case when y > q3 then (y - q3) / (q3 - q1) else (y - q1) / (q3 - q1) end as score,
    cast(1.5 as double) as threshold
from scored
where q3 > q1 and (y > q3 + 1.5 * (q3 - q1) or y < q1 - 1.5 * (q3 - q1))
