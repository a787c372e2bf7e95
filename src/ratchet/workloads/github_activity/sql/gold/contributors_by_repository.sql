-- Who did what. What a history tells of a week is taken from it, with the authors that it names; of all other weeks from events.
with from_events as (
    select
        coalesce(repositories.unique_id, former_names.unique_id, weeks.repository) as unique_id,
        weeks.week,
        weeks.actor,
        weeks.is_bot,
        weeks.commits,
        weeks.issues_opened,
        weeks.prs_opened
    from {{ ref('actor_weeks') }} as weeks
    left join {{ ref('repositories') }} as repositories on repositories.repo_id = weeks.repo_id
    left join {{ ref('former_names') }} as former_names on former_names.repository = lower(weeks.repository)
    where coalesce(repositories.has_name, former_names.has_name, true)
),

work as (
    select
        from_events.unique_id,
        from_events.week,
        from_events.actor,
        from_events.is_bot,
        case when history.commits is null then from_events.commits else 0 end as commits,
        case when history.issues_opened is null then from_events.issues_opened else 0 end as issues_opened,
        case when history.prs_opened is null then from_events.prs_opened else 0 end as prs_opened
    from from_events
    left join {{ ref('history_weeks') }} as history
        on history.unique_id = from_events.unique_id and history.week = from_events.week
    union all
    select
        items.unique_id,
        items.week,
        items.actor,
        items.is_bot,
        case when history.commits is not null then items.commits else 0 end as commits,
        case when history.issues_opened is not null then items.issues_opened else 0 end as issues_opened,
        case when history.prs_opened is not null then items.prs_opened else 0 end as prs_opened
    from {{ ref('known_items') }} as items
    inner join {{ ref('history_weeks') }} as history
        on history.unique_id = items.unique_id and history.week = items.week
    where items.file_kind <> 'totals'
)

select
    unique_id,
    actor,
    is_bot,
    cast(sum(commits) as bigint) as commits,
    cast(sum(issues_opened) as bigint) as issues_opened,
    cast(sum(prs_opened) as bigint) as prs_opened,
    min(week) as first_week,
    max(week) as last_week
from work
where actor is not null and commits + issues_opened + prs_opened > 0 and week <= {{ last_complete_week() }}
group by unique_id, actor, is_bot
