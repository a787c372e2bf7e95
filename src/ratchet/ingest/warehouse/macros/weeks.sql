{#- The Sunday that ends a timestamp's week. -#}
{% macro week_ending(moment) -%}
    (cast(date_trunc('week', {{ moment }}) as date) + 6)
{%- endmacro %}

{#- The newest Sunday that was over when the newest landed hour ended. -#}
{% macro last_complete_week() -%}
    (select cast(date_trunc('week', max(known_until)) as date) - 1 from {{ source('bronze', 'landed') }})
{%- endmacro %}

{#- 0 to 9999, in one column `n`: enough weeks for two centuries, in any dialect. -#}
{% macro numbers() -%}
    (
        select ones.n + 10 * tens.n + 100 * hundreds.n + 1000 * thousands.n as n
        from {% for name in ['ones', 'tens', 'hundreds', 'thousands'] -%}
        (select 0 as n{% for digit in range(1, 10) %} union all select {{ digit }}{% endfor %}) as {{ name }}
        {%- if not loop.last %} cross join {% endif %}
        {%- endfor %}
    )
{%- endmacro %}

{#- A wide model as the long frame that every workload's `series` is: unique_id, target, ds, y and the columns to carry along. -#}
{% macro long_series(wide, targets, carried={}) -%}
    {%- for name in targets %}
    select
        unique_id,
        '{{ name }}' as target,
        ds,
        cast({{ name }} as double) as y
        {%- for column, expression in carried.items() %},
        {{ expression | replace('TARGET', name) }} as {{ column }}
        {%- endfor %}
    from {{ wide }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}
