-- What arrives now, however late, changes these weeks and no others.
select distinct {{ week_ending('created_at') }} as week
from {{ source('bronze', 'arriving') }}
where kind = 'event'
