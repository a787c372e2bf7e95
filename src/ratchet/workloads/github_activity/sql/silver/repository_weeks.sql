-- A repository begins with its first counted event, not with the first time that somebody forked or mentioned it.
with known as (
    select unique_id, week from {{ ref('event_weeks') }}
    union all
    select unique_id, week from {{ ref('history_weeks') }}
),

begins as (
    select unique_id, min(week) as first_week from known group by unique_id
),

every_week as (
    select begins.unique_id, weeks.ds, weeks.coverage
    from begins
    inner join {{ ref('weeks') }} as weeks on weeks.ds >= begins.first_week
)

select
    every_week.unique_id,
    every_week.ds,
    {% for target in ['commits', 'new_stars', 'issues_opened', 'prs_opened'] -%}
    coalesce(history.{{ target }}, events.{{ target }}, 0) as {{ target }},
    cast(case when history.{{ target }} is null then every_week.coverage else 1 end as double) as {{ target }}_coverage,
    {% endfor -%}
    case when not coalesce(history.is_totals, false) then coalesce(history.prs_merged, events.prs_merged, 0) end as prs_merged,
    case
        when history.commits is not null then history.contributors
        else coalesce(events.contributors, 0)
    end as contributors,
    history.commits is null and coalesce(events.commits_estimated, false) as commits_estimated
from every_week
left join {{ ref('event_weeks') }} as events on events.unique_id = every_week.unique_id and events.week = every_week.ds
left join {{ ref('history_weeks') }} as history on history.unique_id = every_week.unique_id and history.week = every_week.ds
