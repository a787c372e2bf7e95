"""The first turn of a composed or cloud stack: the same DAG runs that `make up` makes, asked for over the network."""

from ratchet import workloads
from ratchet.settings import Settings
from ratchet.stack import first_turn
from ratchet.stack.airflow import Airflow
from ratchet.stack.container_settings import ContainerSettings
from ratchet.stack.health import answers, wait_for
from ratchet.stack.paths import Home
from ratchet.stack.progress import Progress

_SWAP_SECONDS = 60


def run(settings: Settings, more: ContainerSettings) -> None:
    """Make what is missing; a turn that was made is not made again, whatever became of its releases since."""
    progress, home = Progress(), Home(settings.home)
    client = Airflow(address=settings.airflow, password=more.airflow_password.get_secret_value())
    workload = workloads.find(settings.workloads.split(",")[0])
    if not home.first_turn.exists():
        first_turn.put_into_production(client, workload, progress)
        _wait(progress, "production", more.production_url)
        for dag_id in first_turn.later(workload):
            client.unpause(dag_id)
        home.first_turn.touch()
    if settings.candidate_url and not home.first_trial.exists():
        first_turn.put_on_trial(client, workload, progress)
        _wait(progress, "candidate", settings.candidate_url)
        home.first_trial.touch()
    progress.note("a release answers on every track that there is")


def _wait(progress: Progress, track: str, address: str) -> None:
    with progress.step(f"the release answers on the {track} track"):
        wait_for(
            f"the {track} track",
            lambda: answers(f"{address}/api/ready"),
            timeout=_SWAP_SECONDS,
            look=f"the log of inference-{track}",
        )
