{#- What a week counted, had it been seen whole; null where too little of it was seen to tell. The rule of contracts/coverage.py, which
    training, boards and evidence follow: half a week is not a quiet week. -#}
{% macro whole_count(y, coverage) -%}
    case when {{ coverage }} >= 1 then {{ y }} when {{ coverage }} >= 0.25 then round({{ y }} / {{ coverage }}) end
{%- endmacro %}
