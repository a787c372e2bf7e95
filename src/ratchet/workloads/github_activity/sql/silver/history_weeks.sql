-- What complete histories say, week by week. A week that lies wholly within a history is counted from it alone: the API first, then files, then totals.
with counted as (
    select unique_id, file_kind, kind, week, commits, new_stars, issues_opened, prs_opened, 0 as prs_merged,
        case when kind = 'commits' and not is_bot then actor end as contributor
    from {{ ref('known_items') }}
    union all
    select unique_id, file_kind, kind, {{ week_ending('merged_at') }}, 0, 0, 0, 0, 1, null
    from {{ ref('known_items') }}
    where merged_at is not null
),

-- The totals of a week are known for all targets together; a history of one kind for that kind, week by whole week.
claims as (
    select distinct unique_id, file_kind, kind, week
    from {{ ref('known_items') }}
    where file_kind = 'totals'
    union all
    select histories.unique_id, histories.file_kind, histories.kind, weeks.ds
    from {{ ref('histories') }} as histories
    inner join {{ ref('weeks') }} as weeks
        on weeks.ds >= histories.first_week and weeks.ds < cast(histories.known_until as date)
),

targets as (
    select claims.*, names.target
    from claims
    inner join (
        select 'commits' as kind, 'commits' as target
        union all select 'stargazers', 'new_stars'
        union all select 'issues', 'issues_opened'
        union all select 'pull_requests', 'prs_opened'
        union all select 'pull_requests', 'prs_merged'
        union all select 'totals', 'commits'
        union all select 'totals', 'new_stars'
        union all select 'totals', 'issues_opened'
        union all select 'totals', 'prs_opened'
    ) as names on names.kind = claims.kind
),

winners as (
    select *
    from targets
    qualify row_number() over (
        partition by unique_id, target, week
        order by case file_kind when 'items' then 1 when 'snapshot' then 2 else 3 end
    ) = 1
),

sums as (
    select
        unique_id, file_kind, kind, week,
        sum(commits) as commits,
        sum(new_stars) as new_stars,
        sum(issues_opened) as issues_opened,
        sum(prs_opened) as prs_opened,
        sum(prs_merged) as prs_merged,
        count(distinct contributor) as contributors
    from counted
    group by unique_id, file_kind, kind, week
)

select
    winners.unique_id,
    winners.week,
    {% for target in ['commits', 'new_stars', 'issues_opened', 'prs_opened', 'prs_merged'] -%}
    cast(max(case when winners.target = '{{ target }}' then coalesce(sums.{{ target }}, 0) end) as bigint) as {{ target }},
    {% endfor -%}
    max(case when winners.target = 'commits' and winners.kind = 'commits' then coalesce(sums.contributors, 0) end) as contributors,
    max(case when winners.kind = 'totals' then 1 else 0 end) = 1 as is_totals
from winners
left join sums
    on sums.unique_id = winners.unique_id and sums.file_kind = winners.file_kind
    and sums.kind = winners.kind and sums.week = winners.week
group by winners.unique_id, winners.week
