{#- One row per combination of these columns; with `within` only in the weeks that this model lists. -#}
{% test one_row_per(model, columns, within=none) %}
    select {{ columns | join(', ') }}, count(*) as found
    from {{ model }}
    {% if within %} where week in (select week from {{ ref(within) }}) {% endif %}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}

{% test at_least_zero(model, column_name, within=none) %}
    select * from {{ model }}
    where ({{ column_name }} is null or {{ column_name }} < 0)
    {% if within %} and week in (select week from {{ ref(within) }}) {% endif %}
{% endtest %}

{% test between_zero_and_one(model, column_name) %}
    select * from {{ model }} where {{ column_name }} is null or {{ column_name }} < 0 or {{ column_name }} > 1
{% endtest %}

{#- Every series has a row for each week from its first to the last complete one. -#}
{% test no_missing_weeks(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) <> (max(ds) - min(ds)) / 7 + 1 or max(ds) <> {{ last_complete_week() }}
{% endtest %}
