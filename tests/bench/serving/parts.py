"""One function per question that the bench answers; `run.py` says which there are."""

import json
import signal
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import closed
import psutil
from beside import HERE, IDS, Target, answers, application, bento_serve, mlflow_serve, save_mlflow_model, uvicorn

from ratchet.serve.release import open_release
from ratchet.serve.segments import measure as measure_spool
from ratchet.stack.services import tool
from rig import PREDICT, WORKLOAD

SERVER, CLIENT, BOTH = 0, 1, "0,1"
BATCH = 1000


def hot(rig, options):
    bare = uvicorn(rig, application="bare_asgi")
    with (
        application(rig, "noop") as noop,
        application(rig, "fastapi", command=uvicorn(rig)) as fastapi,
        application(rig, "bare_wsgi") as gunicorn_alone,
        application(rig, "bare_asgi", command=bare) as uvicorn_alone,
    ):
        targets = {"Flask no-op": noop, "FastAPI look-up": fastapi, "predict": ask(rig)}
        found = measure(options, targets | {"gunicorn alone": gunicorn_alone, "uvicorn alone": uvicorn_alone})
    print(f"predict / no-op: {found['predict'] / found['Flask no-op']:.2f}")
    print(f"predict / FastAPI with the same layers: {found['predict'] / found['FastAPI look-up']:.2f}")
    spent = {name: 1e6 / rate for name, rate in found.items()}
    print(
        f"microseconds a request: predict {spent['predict']:.0f}, of which gunicorn {spent['gunicorn alone']:.0f}; "
        f"FastAPI {spent['FastAPI look-up']:.0f}, of which uvicorn {spent['uvicorn alone']:.0f}"
    )


def peers(rig, options):
    for workers, core in ((1, SERVER), (2, BOTH)):
        rig.cores["inference-production"] = core
        rig.stop("inference-production")
        rig.start_track("production", WEB_WORKERS=str(workers))
        own = {"WEB_WORKERS": str(workers), "BENCH_ANSWERS": str(answers(rig))}
        model = {"__pyfunc_model_path__": save_mlflow_model(rig)}
        with (
            application(rig, "prophet", module="prophet_flask", **own) as prophet,
            application(rig, "fastapi", command=uvicorn(rig, workers), **own) as fastapi,
            application(
                rig, "mlflow", command=mlflow_serve(workers), path="/invocations", body=closed.ROW, **model
            ) as flow,
            application(rig, "bento", command=bento_serve(), **own) as bento,
        ):
            found = measure(
                options, {"predict": ask(rig), "FastAPI": fastapi, "mlflow": flow, "BentoML": bento, "Prophet": prophet}
            )
        for name in ("FastAPI", "mlflow", "BentoML", "Prophet"):
            print(f"{workers} worker(s): predict / {name}: {found['predict'] / found[name]:.2f}", flush=True)


def log(rig, options):
    """Four times the connections: the client shares its core with PostgreSQL, and what it waits for there is not the server's."""
    own_server = [tool("gunicorn"), "-c", "inference/gunicorn_conf.py", "inference.wsgi:application()"]
    with (
        application(rig, "silent", module="silent", path=PREDICT) as silent,
        application(rig, "synced", command=own_server, path=PREDICT, LOG_FSYNC="true") as synced,
    ):
        for each in (silent, synced):
            rig.wait_track(int(each.address.rpartition(":")[2]))
        targets = {"not logged": silent, "logged": ask(rig), "on the disk itself": synced}
        many = {name: replace(target, connections=4 * closed.CONNECTIONS) for name, target in targets.items()}
        found = measure(options, many)
        own = {"not logged": "inference-production+silent", "logged": "inference-production"}
        spent = {name: spend(rig.processes[one].pid, many[name], options) for name, one in own.items()}
    print(f"logging costs {100 * (1 - found['logged'] / found['not logged']):.0f} % of throughput")
    print(f"with LOG_FSYNC: {found['on the disk itself'] / found['logged']:.2f} x")
    less = 100 * (1 - spent["not logged"] / spent["logged"])
    print(
        f"processor time of a request: {spent['logged']:.0f} us, {spent['not logged']:.0f} without the log: {less:.0f} %"
    )


def spend(pid, target, options):
    """Microseconds of processor time that a server's workers take for each answer: whatever else its cores or the client's do."""
    workers = psutil.Process(pid).children()
    before, seconds = sum(sum(worker.cpu_times()[:2]) for worker in workers), 2 * options.seconds
    seen = closed.run(target.address, target.lua, seconds=seconds, core=CLIENT, connections=target.connections)
    return 1e6 * (sum(sum(worker.cpu_times()[:2]) for worker in workers) - before) / (seen.per_second * seconds)


def router(rig, options):
    for core, where in ((SERVER, "on the same core"), (CLIENT, "on another core")):
        rig.cores["router"] = core
        rig.start_router()
        found = measure(options, {"direct": ask(rig), "router": ask(rig, rig.stack.settings.router_port)})
        rig.stop("router", signal.SIGQUIT)
        print(f"through the router, {where}: {found['router'] / found['direct']:.2f} x direct")


def open_loop(rig, options):
    rig.start_router()
    other = rig.add_release(ids=IDS)
    port = rig.stack.settings.router_port
    most = measure(options, {"wrk": ask(rig, port)})["wrk"]
    # What this client gets when it asks for more than there is: 60 % of what a lighter one gets may be all that is left beside it.
    flood = [arrivals(rig, port, 1.5 * most, seed=turn, seconds=options.seconds) for turn in range(options.rounds)]
    saturation = statistics.median(one["per_second"] for one in flood)
    print(f"  saturation   {saturation:,.0f}/s of the open loop", flush=True)
    steady, swapped, nginx = [], [], []
    for turn in range(options.rounds):
        low, high = (arrivals(rig, port, share * saturation, seed=turn) for share in (0.3, 0.6))
        nginx.append([arrivals(rig, port, share * saturation, seed=turn, what="GET /") for share in (0.3, 0.6)])
        with swaps(rig, other):
            swapped.append(arrivals(rig, port, 0.6 * saturation, seed=turn))
        steady.append((low, high))
    for name, found in (
        ("30 %", [low for low, _ in steady]),
        ("60 %", [high for _, high in steady]),
        ("60 %, swaps", swapped),
        # Its own page: what the machine and the client add to anything.
        ("nginx, 30 %", [low for low, _ in nginx]),
        ("nginx, 60 %", [high for _, high in nginx]),
    ):
        p50, p99 = (statistics.median(one[which] for one in found) for which in ("p50_ms", "p99_ms"))
        failed, spread = sum(one["failed"] for one in found), "/".join(f"{one['p99_ms']:.1f}" for one in found)
        again = sum(one["again"] for one in found)
        print(
            f"  {name:12} p50 {p50:.1f} ms, p99 {p99:.1f} ms ({spread}), failed {failed} of {sum(o['sent'] for o in found)}"
            + (f", {again} of them asked again: the connection had just ended" if again else "")
        )
        for why in [why for one in found for why in one["whys"]][:3]:
            print(f"    {why}")


def batch(rig, options):
    """A release of 100,000 series: 1,000 of them again and again, then all in turn, so that none is remembered when it comes again."""
    ids = tuple(f"many/{number:06d}" for number in range(50_000))
    rig.registry.aliases["production"] = rig.add_release(ids=ids)
    rig.stop("inference-production")
    rig.start_track(
        "production", LOG_SPOOL_MAX_MB=str(1 << 16)
    )  # the database is slower than this, and nothing is to be lost
    asking = {"the same 1,000": ids[: BATCH // 2], "100,000 in turn": ids}
    address, folder, key = ask(rig).address, rig.stack.home.folder, rig.key
    targets = {}
    for name, some in asking.items():
        file, how = name.replace(" ", "-"), {"path": f"{PREDICT}/batch", "body": closed.MANY, "before": closed.BATCHES}
        targets[f"single, {name}"] = Target(
            address, closed.script(folder, f"one-{file}", ids=some, key=key, path=PREDICT)
        )
        targets[name] = Target(address, closed.script(folder, file, ids=some, key=key, **how), connections=16)
    found = measure(options, targets, ready=lambda: drained(rig))
    for name in asking:
        rate = BATCH * found[name]
        ratios = ", ".join(f"{rate / found[f'single, {one}']:.1f} x single calls for {one}" for one in asking)
        print(f"batches of 1,000, {name}: {rate:,.0f} forecasts a second, {ratios}")
    print(f"lost from the log: {figure(rig, 'ratchet_log_lost_total'):.0f}")


def start(rig, options):
    rig.registry.aliases["production"] = rig.add_release(ids=tuple(f"many/{number:06d}" for number in range(50_000)))
    rig.stop("inference-production")
    rig.start_track("production")
    seconds = []
    for _ in range(options.rounds):
        rig.stop("inference-production")
        begun = time.monotonic()
        rig.start_track("production")
        seconds.append(time.monotonic() - begun)
    lua = closed.script(
        rig.stack.home.folder,
        "wide",
        ids=tuple(f"many/{n:06d}" for n in range(0, 50_000, 50)),
        key=rig.key,
        path=PREDICT,
    )
    closed.run(ask(rig).address, lua, seconds=options.seconds, core=CLIENT)
    private = [
        (memory.uss / 2**20)
        for worker in psutil.Process(rig.processes["inference-production"].pid).children()
        for memory in [worker.memory_full_info()]
    ]
    print(
        f"first answer {statistics.median(seconds):.2f} s after process start ({min(seconds):.2f}-{max(seconds):.2f})"
    )
    print(f"private memory per worker, 100,000 series loaded, 1,000 of them asked for: {max(private):.0f} MB")
    opening = [opened(rig.stack.home.folder / "artifacts" / f"r{rig.releases}") for _ in range(options.rounds)]
    print(f"a release of 100,000 series opens in {1000 * statistics.median(opening):.0f} ms, its checksums compared")


def opened(folder):
    """Seconds until a release is open."""
    begun = time.perf_counter()
    open_release(folder, verify=True)
    return time.perf_counter() - begun


def soak(rig, options):
    spool, deepest, end = rig.stack.home.folder / "spool" / "production", [], time.monotonic() + options.soak

    def watch():
        while time.monotonic() < end:
            time.sleep(options.soak / 20)
            deepest.append(measure_spool(spool).size / 2**20)
            print(f"  {len(deepest) * 5} %: {deepest[-1]:.1f} MB in the spool, {rig.logged()[0]:,} rows", flush=True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    found = closed.run(ask(rig).address, ask(rig).lua, seconds=options.soak, core=CLIENT)
    watcher.join()
    rows = settled(rig)
    asked = figure(rig, "ratchet_forecasts_total")
    print(f"{found.per_second:,.0f}/s for {options.soak} s, failed {found.failed}, spool at most {max(deepest):.1f} MB")
    print(f"answered {asked:,.0f}, logged {rows[0]:,}, different ids {rows[1]:,}")


def ask(rig, port=None):
    lua = closed.script(rig.stack.home.folder, "predict", ids=IDS, key=rig.key, path=PREDICT)
    return Target(f"http://127.0.0.1:{port or rig.stack.settings.production_port}", lua)


def measure(options, targets, *, ready=lambda: None):
    """Ask the targets in turn, as often as wanted, each when it is ready; the median rate of each."""
    runs = {name: [] for name in targets}
    for target in targets.values():
        closed.run(target.address, target.lua, seconds=1, core=CLIENT, connections=target.connections)
    for _ in range(options.rounds):
        for name, target in targets.items():
            ready()
            how = {"seconds": options.seconds, "core": CLIENT, "connections": target.connections}
            runs[name].append(closed.run(target.address, target.lua, **how))
    for name, found in runs.items():
        rates = [each.per_second for each in found]
        p99 = statistics.median(each.p99_ms for each in found)
        spread = f"{min(rates):,.0f}-{max(rates):,.0f}"
        failed = sum(each.failed for each in found)
        print(
            f"  {name:18} {statistics.median(rates):8,.1f}/s  ({spread})  p99 {p99:.1f} ms  failed {failed}", flush=True
        )
    return {name: statistics.median(each.per_second for each in found) for name, found in runs.items()}


def arrivals(rig, port, rate, *, seed, seconds=8, what=f"POST {PREDICT}"):
    """Let requests arrive at a rate; what the open loop saw."""
    where = [f"http://127.0.0.1:{port}", what, rig.key, str(rate), str(seconds), str(seed)]
    command = ["taskset", "-c", str(CLIENT), sys.executable, str(HERE / "open_loop.py"), *where]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@contextmanager
def swaps(rig, other, *, every=2.0):
    """While it lasts the production alias moves to and fro."""
    stop, both = threading.Event(), [rig.registry.aliases["production"], other]

    def swap():
        while not stop.wait(every):
            both.reverse()
            rig.registry.aliases["production"] = both[0]

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def drained(rig):
    """Wait until nothing that was asked before is still on its way to the database."""
    while measure_spool(rig.stack.home.folder / "spool" / "production").segments:
        time.sleep(0.2)


def settled(rig):
    """Rows of the log, once no more come."""
    before = None
    while (now := rig.logged()) != before:
        before = now
        time.sleep(3)
    return now


def figure(rig, name):
    """One of the track's own figures, over all its labels."""
    address = f"http://127.0.0.1:{rig.stack.settings.production_port}/metrics"
    said = subprocess.run(["curl", "-fsS", address], check=True, capture_output=True, text=True).stdout
    return sum(float(line.rpartition(" ")[2]) for line in said.splitlines() if line.startswith(f"{name}{{"))


PARTS = {
    "hot": hot,
    "peers": peers,
    "log": log,
    "router": router,
    "open": open_loop,
    "batch": batch,
    "start": start,
    "soak": soak,
}

__all__ = ["CLIENT", "IDS", "PARTS", "SERVER", "WORKLOAD"]
