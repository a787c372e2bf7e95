"""A look-up by hand in FastAPI with the same layers: key, limits, validation, metrics, request id, log; asynchronous, orjson, uvloop."""

import os
import random
import threading
import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import orjson
from fastapi import FastAPI, Header, Request, Response
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, Field

from ratchet.contracts.ports import Track
from ratchet.serve.keys import KeyStore
from ratchet.serve.limits import RateLimits
from ratchet.serve.metrics import ServeMetrics
from ratchet.serve.prediction_ids import mint
from ratchet.serve.release import open_release
from ratchet.serve.spool import Spool

HOME = Path(os.environ["DATA_HOME"])
opened = open_release(Path(os.environ["BENCH_RELEASE"]), verify=False)
metrics = ServeMetrics(CollectorRegistry(), track=Track.PRODUCTION)
meters = metrics.of("parcels", "production", "BO1", opened.card.targets)
keys = KeyStore(os.environ["DATABASE_URL"], cache_file=HOME / "cache" / "keys.json")
keys.refresh()
limits = RateLimits(HOME / "run" / "fastapi-limits.bin")
spool = Spool(HOME / "spool" / "fastapi", max_bytes=4 << 30, fsync=False, on_lost=metrics.lost)
rendered = lru_cache(maxsize=4096)(opened.rendered)
application = FastAPI()


def _tick():
    while True:  # finished segments are dropped: the forwarder would be another process's work
        spool.tick()
        for path in spool.folder.glob("*.ready"):
            path.unlink()
        time.sleep(0.25)


threading.Thread(target=_tick, daemon=True).start()


class Question(BaseModel):
    depot: Annotated[str, Field(min_length=1, max_length=500)]
    target: Literal["sent", "lost"]
    horizon: Annotated[int, Field(ge=1, le=12, strict=True)] = 8


@application.post("/")
async def predict(
    request: Request, x_api_key: Annotated[str, Header()], x_request_id: Annotated[str | None, Header()] = None
) -> Response:
    started, now = time.perf_counter(), datetime.now(UTC)
    holder = keys.holder(x_api_key)
    if holder is None:
        return Response(status_code=401)
    allowance = limits.take_all([(f"address:{request.client.host}", 10**9), (f"key:{holder.key_id}", 10**9)])
    question = Question.model_validate_json(await request.body())
    weeks = orjson.Fragment(rendered(opened.row(question.depot, question.target), question.horizon))
    prediction_id = mint(b"bench", now, workload="parcels", track=Track.PRODUCTION, release="BO1")
    said = {"prediction_id": prediction_id, "release": "BO1", **question.model_dump(), "weeks": weeks}
    spool.append({**said, "at": now, "record": "forecast", "workload": "parcels", "track": "production"})
    meters.answered(question.target)
    meters.count(200, time.perf_counter() - started)
    headers = {
        "X-Request-ID": x_request_id or f"{random.getrandbits(96):024x}",
        "RateLimit-Remaining": str(allowance.remaining),
    }
    return Response(orjson.dumps(said), media_type="application/json", headers=headers)
