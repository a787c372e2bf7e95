-- depends_on: {{ ref('touched_weeks') }}
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='week') }}

select
    week,
    cast(cast(created_at as date) - cast(date_trunc('week', created_at) as date) as integer) + 1 as weekday,
    cast(extract(hour from created_at) as integer) as hour_of_day,
    coalesce(language, 'unknown') as language,
    count(*) as events,
    cast(sum(commits) as bigint) as commits
from {{ ref('events') }}
{% if is_incremental() %}
where week in (select week from {{ ref('touched_weeks') }})
{% endif %}
group by 1, 2, 3, 4
