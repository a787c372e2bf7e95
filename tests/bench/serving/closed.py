"""A closed loop with wrk: as many answers as the server can give."""

import re
import subprocess
from dataclasses import dataclass

CONNECTIONS = 32
ASK = """
local ids = {%(ids)s}
local headers = {["Content-Type"] = "application/json", ["X-API-Key"] = "%(key)s"}
local count = 0
%(before)s
request = function()
   count = count + 1
   headers["X-User-Id"] = "user-" .. (count %% 1000)
   local id = ids[count %% #ids + 1]
   return wrk.format("POST", "%(path)s", headers, %(body)s)
end
"""
ONE = """'{"depot":"' .. id .. '","target":"sent","horizon":12}'"""
ROW = """'{"dataframe_records":[{"depot":"' .. id .. '","target":"sent","horizon":12}]}'"""
BATCHES = """
local batches = {}
for first = 1, #ids, 500 do
   local items = {}
   for number = first, first + 499 do
      for _, target in ipairs({"sent", "lost"}) do
         items[#items + 1] = '{"depot":"' .. ids[number] .. '","target":"' .. target .. '","horizon":12}'
      end
   end
   batches[#batches + 1] = '{"items":[' .. table.concat(items, ",") .. ']}'
end
"""
"""A thousand different questions each; `ids` has a multiple of 500."""
MANY = "batches[count % #batches + 1]"


@dataclass(frozen=True)
class Run:
    """What wrk saw in one run."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def script(folder, name, *, ids, key, path, body=ONE, before=""):
    """Write the questions as a wrk script."""
    target = folder / f"ask-{name}.lua"
    quoted = ", ".join(f'"{one}"' for one in ids)
    target.write_text(ASK % {"ids": quoted, "key": key, "path": path, "body": body, "before": before})
    return target


def run(address, lua, *, seconds, core, connections=CONNECTIONS):
    """Ask as fast as the answers come."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=20s"]
    command += ["--latency", "-s", lua, address]
    said = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return Run(
        per_second=float(re.search(r"Requests/sec: +([\d.]+)", said)[1]),
        p50_ms=_milliseconds(re.search(r"50% +([\d.]+)(us|ms|s)", said)),
        p99_ms=_milliseconds(re.search(r"99% +([\d.]+)(us|ms|s)", said)),
        failed=int(bad[1] if bad else 0) + sum(map(int, errors.groups() if errors else ())),
    )


def _milliseconds(found):
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
