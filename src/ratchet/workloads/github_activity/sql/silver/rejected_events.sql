{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget_unfinished() }}") }}

select
    arriving.file_id,
    arriving.line,
    landed.source,
    landed.hour,
    arriving.reason,
    arriving.raw
from {{ source('bronze', 'arriving_rejected') }} as arriving
inner join {{ source('bronze', 'landed') }} as landed on landed.file_id = arriving.file_id
