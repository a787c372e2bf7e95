"""Who validates makes no difference to what comes out."""

import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster
from distributed.protocol.pickle import dumps, loads

from ratchet import forecasters
from ratchet.contracts.errors import RatchetError
from ratchet.contracts.release import TRAINING
from ratchet.stack.ports import free_port
from ratchet.train import Budget
from ratchet.train.crew import Job, hire, in_process, on_cores, on_dask
from ratchet.train.folds import Fold, plan

RECIPE = ("seasonal_naive", "ets")
ASKS = """
import threading, time
import numpy as np, pandas as pd, psutil
from ratchet.train.crew import Job, on_cores
from ratchet.train.folds import plan
from ratchet.train.panel import Panel

class Slow:
    name, pooled, expects = "slow", False, False

    def learn(self, known):
        time.sleep(60)

if __name__ == "__main__":
    weeks = pd.date_range(end="2026-05-31", periods=60, freq="7D")
    panel = Panel(names=("a\x1fv",), weeks=weeks, values=np.ones((1, 60)))
    jobs = [Job(family=Slow(), folds=(fold,)) for fold in plan(60, horizon=4)]
    threading.Thread(target=lambda: list(on_cores(2, many=1)(panel, jobs, lambda _: None)), daemon=True).start()
    while len(found := [one.pid for one in psutil.Process().children() if "colleague" in " ".join(one.cmdline())]) < 2:
        time.sleep(0.1)
    time.sleep(2)
    print(*found, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def cluster():
    """A real scheduler and two workers, each in a process of its own."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as made:
        yield made


def files(folder):
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != TRAINING]
    return {path.relative_to(folder): path.read_bytes() for path in found}


@pytest.mark.filterwarnings("ignore")  # Dask's own, while workers start and stop
def test_a_cluster_makes_the_same_release_to_the_last_byte(run, history, cluster, tmp_path):
    said = []
    here = run(history, tmp_path / "here", recipe=RECIPE)
    there = run(
        history, tmp_path / "there", recipe=RECIPE, crew=on_dask(cluster.scheduler_address), progress=said.append
    )
    assert there == here
    assert files(tmp_path / "there") == files(tmp_path / "here") != {}
    assert any("2 Dask workers" in line for line in said)


@pytest.mark.filterwarnings("ignore")
def test_a_search_on_a_cluster_keeps_the_same_settings_though_a_worker_is_killed(run, gold, cluster, tmp_path):
    """Of random walks the newest weeks say most: a short window is kept."""
    steps = np.random.default_rng(4).normal(0, 3, (20, 160))
    walks = gold(np.abs(100 + np.cumsum(steps, axis=1)).round())
    told = {"recipe": ("naive", "window_median"), "budget": Budget(trials=6)}
    here = run(walks, tmp_path / "here", **told)
    killed = []

    def kill_one(line):
        if line.startswith("3 of") and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    there = run(walks, tmp_path / "there", crew=on_dask(cluster.scheduler_address), progress=kill_one, **told)
    assert killed
    assert there == here
    assert here.options == {"window_median": {"weeks": 8}}
    assert files(tmp_path / "there") == files(tmp_path / "here") != {}


@pytest.mark.filterwarnings("ignore")
def test_shards_on_a_cluster_make_the_same_release_though_a_worker_is_killed(run, gold, counts, cluster, tmp_path):
    many = gold(counts(600, 60, seed=5))
    recipe = ("naive", "window_median", "tsb")
    here = run(many, tmp_path / "here", recipe=recipe)
    said, killed = [], []

    def kill_one(line):
        said.append(line)
        if line.startswith("9 of") and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    there = run(many, tmp_path / "there", recipe=recipe, crew=on_dask(cluster.scheduler_address), progress=kill_one)
    assert killed
    assert {shard for line in said for shard in re.findall(r"shard \d of \d", line)} == {"shard 1 of 2", "shard 2 of 2"}
    assert there == here
    assert files(tmp_path / "there") == files(tmp_path / "here") != {}


def test_of_many_jobs_a_hundred_are_told(panel_of):
    family = forecasters.find("naive")
    said = []
    for count in (7, 1234):
        jobs = [Job(family=family, folds=(Fold(cutoff=5, horizon=1),))] * count
        said.append([])
        assert len(list(in_process(panel_of(np.ones((1, 6))), jobs, said[-1].append))) == count
    assert [len(lines) for lines in said] == [7, 100]
    assert [lines[-1].split(":")[0] for lines in said] == ["7 of 7", "1234 of 1234"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["ratchet", "lightgbm"])
def test_workers_with_other_code_or_libraries_are_named_and_nothing_is_made(name, run, history, cluster, tmp_path):
    """What they forecast would be remembered as if what is here had."""

    def have(version):
        import importlib.metadata as installed  # noqa: PLC0415  # a worker's

        from ratchet.train import code, crew  # noqa: PLC0415  # a worker's

        crew._made_by.cache_clear()
        code.version = lambda asked: version if asked == name and version else installed.version(asked)

    with Client(cluster) as client:
        client.run(have, "0.1")
        try:
            with pytest.raises(RatchetError, match=rf"a Dask worker has other code \({name} 0\.1"):
                run(history, tmp_path, recipe=RECIPE, crew=on_dask(cluster.scheduler_address))
        finally:
            client.run(have, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_whose_workers_are_all_killed_at_once_goes_on(run, history, cluster, tmp_path):
    """Nobody holds what the jobs are about any more."""
    here = run(history, tmp_path / "here", recipe=RECIPE)
    killed = []

    def kill_all(line):
        if line.startswith("1 of") and not killed:
            killed.extend(worker.pid for worker in cluster.workers.values())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    crew = on_dask(cluster.scheduler_address)
    there = run(history, tmp_path / "there", recipe=RECIPE, crew=crew, progress=kill_all)
    assert killed
    assert there == here
    assert files(tmp_path / "there") == files(tmp_path / "here") != {}


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_without_a_worker_is_waited_for_and_then_named(panel_of):
    jobs = [Job(family=Deadly(), folds=(fold,)) for fold in plan(60, horizon=4)[:1]]
    with LocalCluster(n_workers=0, processes=True, host="127.0.0.1", dashboard_address=None) as empty:
        alone = on_dask(empty.scheduler_address, patience=1)
        with pytest.raises(RatchetError, match=f"no worker at {empty.scheduler_address}"):
            list(alone(panel_of(np.ones((3, 60))), jobs, lambda _: None))


@pytest.fixture
def scheduler():
    """A scheduler with one worker, each started as its own command; where it is, and its process."""
    address = f"tcp://127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    commands = (
        ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"],
        ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard", "--death-timeout", "30"],
    )
    with ExitStack() as stack:
        started = []
        for command in commands:
            process = subprocess.Popen([sys.executable, "-m", *command], stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            started.append(process)
        yield address, started[0]


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_killed_amid_the_work_ends_it_with_its_address(panel_of, scheduler):
    address, process = scheduler
    jobs = [Job(family=forecasters.find("ets"), folds=(fold,)) for fold in plan(120, horizon=4)]

    def kill(line):
        if line.startswith("1 of"):
            process.kill()

    with pytest.raises(RatchetError, match=f"(the Dask cluster|no worker|the Dask scheduler) at {address}"):
        list(on_dask(address, patience=20)(panel_of(np.ones((300, 120)) * range(1, 121)), jobs, kill))
    assert process.wait(timeout=10) == -signal.SIGKILL


def test_a_scheduler_that_is_away_is_named_with_the_way_out(run, history, tmp_path):
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(RatchetError, match=f"no Dask scheduler at {nowhere}.*DASK_SCHEDULER_ADDRESS"):
        run(history, tmp_path, recipe=("seasonal_naive",), crew=on_dask(nowhere))
    assert not list(tmp_path.iterdir())


def test_two_processes_make_the_same_release_to_the_last_byte(run, history, tmp_path):
    said = []
    here = run(history, tmp_path / "here", recipe=RECIPE)
    crew = on_cores(2, many=1)
    there = run(history, tmp_path / "there", recipe=RECIPE, crew=crew, progress=said.append)
    assert there == here
    assert files(tmp_path / "there") == files(tmp_path / "here") != {}
    assert any("for 2 processes" in line for line in said)


def test_few_series_are_not_worth_another_process(run, history, tmp_path):
    said = []
    run(history, tmp_path, recipe=("seasonal_naive",), crew=hire(""), progress=said.append)
    assert not any("processes" in line for line in said)


STARTED = """
import sys
if __name__ != "__main__":
    sys.exit("this process was started again")
import numpy as np, pandas as pd
from ratchet import forecasters
from ratchet.train.crew import Job, in_process, on_cores
from ratchet.train.folds import plan
from ratchet.train.panel import Panel

weeks = pd.date_range(end="2026-05-31", periods=200, freq="7D")
panel = Panel(names=tuple(f"{n}\x1fv" for n in range(900)), weeks=weeks, values=np.ones((900, 200)))
jobs = [Job(family=forecasters.find("naive"), folds=(fold,)) for fold in plan(200, horizon=4)]
print(len(list(on_cores(2, many=1)(panel, jobs, print))))
"""


def test_what_this_process_was_started_with_is_not_started_again(tmp_path):
    """Under Airflow that is Airflow, which a task may not start. The panel is larger than a pipe."""
    script = tmp_path / "started.py"
    script.write_text(STARTED)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["10"]), ended.stderr


class Odd:
    """A family that fails with an error that no other process can read."""

    name, pooled, expects = "odd", False, False

    def learn(self, _known):
        class OddError(Exception):
            def __reduce__(self):
                raise TypeError("not this one")

        raise OddError("seven")


class Failing(Odd):
    def learn(self, _known):
        raise KeyError("eight")


@pytest.mark.parametrize(("family", "error", "says"), [(Odd(), RatchetError, "seven"), (Failing(), KeyError, "eight")])
def test_what_fails_in_another_process_fails_here_and_says_where(family, error, says, panel_of):
    jobs = [Job(family=family, folds=(fold,)) for fold in plan(60, horizon=4)]
    with pytest.raises(error, match=says) as raised:
        list(on_cores(2, many=1)(panel_of(np.ones((3, 60))), jobs, lambda _: None))
    assert "in learn" in str(raised.value) + "".join(getattr(raised.value, "__notes__", []))


class Talking(Odd):
    def learn(self, known):
        sys.stdout.write("a library's own words\n")
        os.write(1, b"and of one in C")
        return forecasters.find("naive").learn(known)


def test_what_a_library_prints_in_another_process_is_no_answer(panel_of):
    jobs = [Job(family=Talking(), folds=(fold,)) for fold in plan(60, horizon=4)]
    assert len(list(on_cores(2, many=1)(panel_of(np.ones((3, 60))), jobs, lambda _: None))) == len(jobs)


class Deadly:
    """A family whose process is killed as it learns."""

    name, pooled, expects = "deadly", False, False

    def learn(self, _known):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_ends_the_training_with_a_word(panel_of):
    jobs = [Job(family=Deadly(), folds=(fold,)) for fold in plan(60, horizon=4)]
    with pytest.raises(RatchetError, match="was killed"):
        list(on_cores(2, many=1)(panel_of(np.ones((3, 60))), jobs, lambda _: None))


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_gives_up_says_so(panel_of, cluster):
    jobs = [Job(family=Deadly(), folds=(fold,)) for fold in plan(60, horizon=4)[:1]]
    with pytest.raises(RatchetError, match="gave up deadly from week"):
        list(on_dask(cluster.scheduler_address)(panel_of(np.ones((3, 60))), jobs, lambda _: None))


def test_processes_end_with_the_one_that_asked(tmp_path):
    script = tmp_path / "asks.py"
    script.write_text(ASKS)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as asking:
        children = [psutil.Process(int(pid)) for pid in asking.stdout.readline().split()]
        assert len(children) == 2
        asking.kill()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive


@pytest.mark.parametrize("name", forecasters.names())
def test_every_family_can_be_sent_to_a_worker(name):
    family = forecasters.find(name, season_length=52)
    assert loads(dumps(family)).name == name
