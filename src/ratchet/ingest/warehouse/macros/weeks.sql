{#- The Sunday that ends a timestamp's week. -#}
{% macro week_ending(moment) -%}
    (date_trunc('week', {{ moment }})::date + 6)
{%- endmacro %}

{#- The newest Sunday that was over when the newest landed hour ended. -#}
{% macro last_complete_week() -%}
    (select date_trunc('week', {{ data_hour() }})::date - 1)
{%- endmacro %}

{#- A wide model as the long frame that every workload's `series` is: unique_id, target, ds, y. -#}
{% macro long_series(wide, targets) -%}
    {%- for name in targets %}
    select unique_id, '{{ name }}' as target, ds, {{ name }}::double as y from {{ wide }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}
