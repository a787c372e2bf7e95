-- The crawler's pages overlap, so the same event may be in a file twice, or again in a later one.
select
    type,
    event_id,
    repository,
    actor,
    coalesce(actor like '%[bot]', false) as is_bot,
    created_at,
    action,
    case
        when type <> 'PushEvent' then 0
        when distinct_size >= 0 then distinct_size
        else 1  -- since October 2025 a push does not say how many commits it holds
    end as commits
from {{ ref('parsed_lines') }}
where reason is null
qualify row_number() over (partition by type, event_id, created_at, repository order by hour) = 1
