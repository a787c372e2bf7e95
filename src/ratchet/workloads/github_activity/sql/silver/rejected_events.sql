select hour, reason, raw
from {{ ref('parsed_lines') }}
where reason is not null
