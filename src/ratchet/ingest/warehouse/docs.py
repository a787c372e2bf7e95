"""dbt's documentation of a workload's models, with lineage, as one page."""

import shutil
from pathlib import Path

from ratchet import workloads
from ratchet.contracts.errors import DataError
from ratchet.ingest.durable import exclusive
from ratchet.ingest.warehouse.build import folder, project_of
from ratchet.ingest.warehouse.read import read
from ratchet.ingest.warehouse.state import ARRIVING, State


def write_docs(workload: str, *, home: Path) -> Path:
    """Write the page of a workload whose gold has been built; it needs no server."""
    place = folder(home, workload)
    state = State(place=place)
    if not state.database.is_file():
        raise DataError(f"{workload}: nothing has been built yet; run `ratchet ingest {workload}` first")
    with exclusive(place / ".lock") as lock:
        read(workload, [], out=place / ARRIVING)  # the views over what arrives must find something
        project = project_of(workloads.find(workload), state)
        project.run("docs", "generate", "--static", hold=(lock,))
        shutil.rmtree(place / ARRIVING)
    page = home / "docs" / workload / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(place / "dbt" / "static_index.html", page)
    return page
