-- From when on and until when each history knows everything: of the API up to when it was last walked through, of a file up to its newest record.
with walked as (
    select
        coalesce(repositories.unique_id, former_names.unique_id, walks.repository) as unique_id,
        walks.kind,
        max(walks.known_until) as known_until
    from {{ ref('walks') }} as walks
    left join {{ ref('repositories') }} as repositories on repositories.repo_id = walks.repo_id
    left join {{ ref('former_names') }} as former_names
        on former_names.repository = lower(walks.repository) and walks.repo_id is null
    where coalesce(repositories.has_name, former_names.has_name, true)
    group by 1, 2
)

select
    known.unique_id,
    known.file_kind,
    known.kind,
    min(known.week) as first_week,
    max(case when known.file_kind = 'items' then walked.known_until else known.known_until end) as known_until
from {{ ref('known_items') }} as known
left join walked on walked.unique_id = known.unique_id and walked.kind = known.kind
where known.file_kind <> 'totals'
group by known.unique_id, known.file_kind, known.kind
