{#- A pre-hook for a model that reads bronze: chooses the files of these sources. An empty file is always among them, because
    a read of no file at all has no columns. -#}
{% macro choose_landed(sources) -%}
    set variable landed_files = (
        select list_append(coalesce(list(path order by source, hour), []::varchar[]), '{{ env_var("RATCHET_NOTHING") | replace("'", "''") }}')
        from {{ source('bronze', 'landed') }}
        where source in ('{{ sources | join("', '") }}')
    )
{%- endmacro %}

{#- The chosen files line by line as text (`line`, `file`); no byte in them can fail the read. Lines that are not UTF-8 or longer
    than 16 MB are left out here and kept by `keep_unreadable_lines`. The delimiter is one that no JSON text can hold. -#}
{% macro read_landed_lines() -%}
    (
        select line, filename as file
        from read_csv(
            getvariable('landed_files'),
            columns = {'line': 'varchar'}, auto_detect = false, header = false, filename = true,
            delim = e'\x01\x02\x03\x04', quote = '', escape = '', comment = '', new_line = '\n', strict_mode = false, max_line_size = 16000000,
            store_rejects = true, rejects_table = 'unreadable_lines', rejects_scan = 'unreadable_scans', rejects_limit = 0
        )
    )
{%- endmacro %}

{#- The end of the newest landed hour. -#}
{% macro data_hour() -%}
    (select max(hour) + interval 1 hour from {{ source('bronze', 'landed') }})
{%- endmacro %}

{#- A post-hook: adds the lines that could not even be read as text, with the reason and what was legible of them. -#}
{% macro keep_unreadable_lines() -%}
    insert into {{ this }} by name
    select
        landed.hour,
        case unreadable.error_type::varchar
            when 'INVALID ENCODING' then 'not UTF-8'
            when 'LINE SIZE OVER MAXIMUM' then 'line too long'
            else lower(unreadable.error_type::varchar)
        end as reason,
        ltrim(unreadable.csv_line, chr(10)) as raw
    from unreadable_lines as unreadable
    inner join unreadable_scans as scans using (scan_id, file_id)
    inner join {{ source('bronze', 'landed') }} as landed on landed.path = scans.file_path
{%- endmacro %}
