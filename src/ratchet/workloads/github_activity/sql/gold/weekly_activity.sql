-- A repository begins with its first counted event, not with the first time that somebody forked or mentioned it.
with counted as (
    select
        repository as unique_id,
        {{ week_ending('created_at') }} as ds,
        commits,
        (type = 'WatchEvent')::integer as new_stars,
        (type = 'IssuesEvent' and action = 'opened')::integer as issues_opened,
        (type = 'PullRequestEvent' and action = 'opened')::integer as prs_opened
    from {{ ref('events') }}
    where
        type in ('PushEvent', 'WatchEvent')
        or (type in ('IssuesEvent', 'PullRequestEvent') and action = 'opened')
),

from_events as (
    select
        unique_id,
        ds,
        sum(commits) as commits,
        sum(new_stars) as new_stars,
        sum(issues_opened) as issues_opened,
        sum(prs_opened) as prs_opened
    from counted
    group by unique_id, ds
),

known as (
    select unique_id, ds, commits, new_stars, issues_opened, prs_opened
    from {{ ref('history') }}
    union all
    select unique_id, ds, commits, new_stars, issues_opened, prs_opened
    from from_events
    where not exists (
        select 1
        from {{ ref('history') }} as history
        where history.unique_id = from_events.unique_id and history.ds = from_events.ds
    )
),

every_week as (
    select unique_id, unnest(generate_series(min(ds), {{ last_complete_week() }}, interval 7 day))::date as ds
    from known
    group by unique_id
)

select
    unique_id,
    ds,
    coalesce(known.commits, 0)::bigint as commits,
    coalesce(known.new_stars, 0)::bigint as new_stars,
    coalesce(known.issues_opened, 0)::bigint as issues_opened,
    coalesce(known.prs_opened, 0)::bigint as prs_opened
from every_week
left join known using (unique_id, ds)
