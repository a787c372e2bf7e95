-- What a repository has been like over its last 26 complete weeks: counts as means per week. Of one of which some target was never seen in
-- them, that cannot be said.
with weeks as (
    select
        unique_id,
        ds,
        {% for target in ['commits', 'new_stars', 'issues_opened', 'prs_opened'] -%}
        max(case when target = '{{ target }}' then y end) as {{ target }},
        {% endfor -%}
        sum(y) as seen_of_it,
        count(y) as seen
    from {{ ref('whole_weeks') }}
    where ds > {{ last_complete_week() }} - 182
    group by unique_id, ds
)

select
    unique_id,
    avg(commits) as commits,
    avg(new_stars) as new_stars,
    avg(issues_opened) as issues_opened,
    avg(prs_opened) as prs_opened,
    cast(count(case when seen_of_it > 0 then 1 end) as double) / count(case when seen_of_it > 0 or seen = 4 then 1 end) as active_weeks
from weeks
group by unique_id
having least(count(commits), count(new_stars), count(issues_opened), count(prs_opened)) > 0
