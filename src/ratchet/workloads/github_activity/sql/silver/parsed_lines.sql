{{ config(
    pre_hook="{{ choose_landed(['sample_events', 'github_archive']) }}",
    post_hook="{{ keep_unreadable_lines() }}"
) }}

-- One pass over bronze: each line parsed once, as typed fields or as a reason why not.
with parsed as (
    select
        hour,
        line,
        try(json_extract_string(line, [
            '$.type', '$.id', '$.repo.name', '$.actor.login', '$.created_at', '$.payload.action', '$.payload.distinct_size'
        ])) as field
    from {{ ref('archive_lines') }}
),

typed as (
    select
        hour,
        line,
        field is not null as is_json,
        nullif(field[1], '') as type,
        nullif(field[2], '') as event_id,
        field[3] as repository,
        field[4] as actor,
        field[5] as created_text,
        try_cast(field[5] as timestamp) as created_at,
        field[6] as action,
        try_cast(field[7] as integer) as distinct_size
    from parsed
),

judged as (
    select
        *,
        case
            when not is_json then 'not JSON'
            when left(ltrim(line), 1) <> '{' then 'not an object'
            when type is null then 'type missing'
            when event_id is null then 'id missing'
            when repository is null or not regexp_full_match(repository, '[^/\s]+/[^/\s]+') then 'repository missing'
            when created_text is null then 'created_at missing'
            when created_at is null then 'created_at unreadable'
            when created_at < timestamp '2011-02-12' or created_at >= hour + interval 1 hour then 'created_at outside the archive'
        end as reason
    from typed
)

select
    hour,
    reason,
    case when reason is not null then line end as raw,
    type,
    event_id,
    repository,
    actor,
    created_at,
    action,
    distinct_size
from judged
