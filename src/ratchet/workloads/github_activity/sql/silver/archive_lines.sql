{{ config(materialized='ephemeral') }}

select read.line, landed.hour
from {{ read_landed_lines() }} as read
inner join {{ source('bronze', 'landed') }} as landed on landed.path = read.file
where read.line is not null  -- a blank line holds nothing that could be lost
