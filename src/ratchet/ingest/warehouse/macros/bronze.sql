{#- A pre-hook of a model that keeps rows by file: what a build that was killed had added is taken out again. Files are numbered in
    the order of their reading, so these are the rows after the last file that was finished. -#}
{% macro forget_unfinished() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where file_id > (select coalesce(max(file_id), 0) from {{ source('bronze', 'landed') }} where not unfinished)
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{#- The end of the newest hour that has landed. -#}
{% macro data_hour() -%}
    (select max(known_until) from {{ source('bronze', 'landed') }})
{%- endmacro %}

{#- The number of the first file that arrives in this run. -#}
{% macro first_arriving() -%}
    (select min(file_id) from {{ source('bronze', 'landed') }} where unfinished)
{%- endmacro %}
