-- Records read = events in silver + duplicates + rejected, in every file that arrives.
select *
from {{ ref('file_counts') }}
where file_id >= {{ first_arriving() }} and records <> events + duplicates + rejected
