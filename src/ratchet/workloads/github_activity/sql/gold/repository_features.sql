-- What a repository has been like over its last 26 complete weeks, on scales on which a distance means something.
select
    unique_id,
    ln(1 + avg(commits)) as commits,
    ln(1 + avg(new_stars)) as new_stars,
    ln(1 + avg(issues_opened)) as issues_opened,
    ln(1 + avg(prs_opened)) as prs_opened,
    cast(sum(case when commits + new_stars + issues_opened + prs_opened > 0 then 1 else 0 end) as double) / count(*) as active_weeks
from {{ ref('weekly_activity') }}
where ds > {{ last_complete_week() }} - 182
group by unique_id
