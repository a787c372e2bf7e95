"""Print the rows of a query on Snowflake as JSON; runs in the environment that has its connector."""

import json
import os
import sys

import snowflake.connector
from plain import plain

with snowflake.connector.connect(
    account=os.environ["SNOWFLAKE_ACCOUNT"],
    host=os.environ["SNOWFLAKE_HOST"],
    port=int(os.environ["SNOWFLAKE_PORT"]),
    protocol=os.environ["SNOWFLAKE_PROTOCOL"],
    user=os.environ["SNOWFLAKE_USER"],
    password=os.environ["SNOWFLAKE_PASSWORD"],
    database=os.environ["SNOWFLAKE_DATABASE"],
    session_parameters={"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
) as connection:
    rows = connection.cursor().execute(sys.argv[1]).fetchall()
json.dump([[plain(value) for value in row] for row in rows], sys.stdout)
