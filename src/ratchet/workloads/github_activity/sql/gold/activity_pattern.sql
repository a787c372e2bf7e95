select
    weekday,
    hour_of_day,
    language,
    cast(sum(events) as bigint) as events,
    cast(sum(commits) as bigint) as commits
from {{ ref('pattern_weeks') }}
where week <= {{ last_complete_week() }}
group by weekday, hour_of_day, language
