{#- For a warehouse that does not read this machine's files: brings a batch's Parquet files (rows-*, rejected-*, landed-*) from `folder`
    through a stage into `bronze`, in place of the batch before it; `dbt build` then takes it in. `columns` are the workload's.
    dbt run-operation load_arriving --args '{folder: …, columns: {…}}' -#}
{% macro load_arriving(folder, columns) -%}
    {%- set place = {'file_id': 'BIGINT', 'line': 'BIGINT'} -%}
    {%- set tables = {
        'arriving': ('rows', dict(place, **columns)),
        'arriving_rejected': ('rejected', dict(place, reason='VARCHAR', raw='VARCHAR')),
        'landing': ('landed', {
            'file_id': 'BIGINT', 'source': 'VARCHAR', 'part': 'VARCHAR', 'kind': 'VARCHAR', 'hour': 'TIMESTAMP', 'known_until': 'TIMESTAMP',
            'file': 'VARCHAR', 'bytes': 'BIGINT', 'sha256': 'VARCHAR', 'records': 'BIGINT', 'rejected': 'BIGINT', 'unfinished': 'BOOLEAN'
        }),
    } -%}
    {%- set bronze = target.database ~ '.bronze' -%}
    {%- do run_query('create schema if not exists ' ~ bronze) -%}
    {%- do run_query('create or replace stage ' ~ bronze ~ '.arriving_files') -%}
    {%- for table, (files, typed) in tables.items() -%}
        {%- set list = [] -%}
        {%- for name, type in typed.items() -%}{%- do list.append(name ~ ' ' ~ type) -%}{%- endfor -%}
        {%- do run_query('create or replace table ' ~ bronze ~ '.' ~ table ~ ' (' ~ list | join(', ') ~ ')') -%}
        {%- do run_query("put 'file://" ~ folder ~ '/' ~ files ~ "-*.parquet' @" ~ bronze ~ '.arriving_files/' ~ files ~ '/ auto_compress=false') -%}
        {%- do run_query(
            'copy into ' ~ bronze ~ '.' ~ table ~ ' from @' ~ bronze ~ '.arriving_files/' ~ files
            ~ '/ file_format = (type = parquet) match_by_column_name = case_insensitive'
        ) -%}
    {%- endfor -%}
    {%- do run_query('create table if not exists ' ~ bronze ~ '.landed as select * from ' ~ bronze ~ '.landing where false') -%}
    {%- do run_query('delete from ' ~ bronze ~ '.landed where unfinished') -%}
    {%- do run_query('insert into ' ~ bronze ~ '.landed select * from ' ~ bronze ~ '.landing') -%}
{%- endmacro %}

{#- After a build of the batch: it is in. -#}
{% macro finish_arriving() -%}
    {%- do run_query('update ' ~ target.database ~ '.bronze.landed set unfinished = false where unfinished') -%}
{%- endmacro %}
