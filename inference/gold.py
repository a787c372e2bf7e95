"""The data behind the forecasts: a series' history, what each family says of it, and the tables that the workload publishes."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Response, g, request

from inference import detail as details
from inference.gold_shapes import Named, ScorePage
from inference.identity import require
from inference.problems import NO_GOLD, UNKNOWN_TABLE, ProblemError
from inference.respond import as_json
from inference.service import Gold, Service
from inference.table_shapes import GroupPage, TablePage
from ratchet.contracts.errors import MetricsError
from ratchet.serve.answer import UnknownWorkloadError


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("gold", __name__)

    @bp.get("/api/<workload>/series/detail")
    def detail(workload: str) -> Response:
        require(service, "predict")
        serving = g.serving = service.answerer.serving(workload)
        asked = Named.model_validate(request.args.to_dict())
        with _gold(service) as gold:
            history = gold.history(workload, unique_id=asked.unique_id, target=asked.target, limit=asked.weeks)
        return as_json(
            details.tell(serving.opened, asked.unique_id, asked.target) | {"workload": workload, "history": history}
        )

    @bp.get("/api/<workload>/release/scores")
    def scores(workload: str) -> Response:
        require(service, "predict")
        serving = g.serving = service.answerer.serving(workload)
        page = ScorePage.model_validate(request.args.to_dict())
        found = details.rank(serving.opened, worst=page.order == "worst", target=page.target, limit=page.limit)
        return as_json({"workload": workload, "release": serving.name, "order": page.order, "series": found})

    @bp.get("/api/<workload>/tables")
    def tables(workload: str) -> Response:
        with _operated(service, workload) as gold:
            return as_json({"workload": workload, **gold.describe(workload)})

    @bp.get("/api/<workload>/tables/rows")
    def rows(workload: str) -> Response:
        with _operated(service, workload) as gold:
            page = TablePage.model_validate(request.args.to_dict())
            total, found = gold.rows(
                workload, page.table, limit=page.limit, offset=page.offset, order=page.order, down=page.down
            )
        where = {"workload": workload, "table": page.table, "total": total, "limit": page.limit, "offset": page.offset}
        return as_json({**where, "rows": found})

    @bp.get("/api/<workload>/tables/groups")
    def groups(workload: str) -> Response:
        with _operated(service, workload) as gold:
            page = GroupPage.model_validate(request.args.to_dict())
            total, found = gold.groups(workload, page.table, page.grouping())
        return as_json({"workload": workload, "table": page.table, "total": total, "groups": found})

    return bp


@contextmanager
def _operated(service: Service, workload: str) -> Iterator[Gold]:
    require(service, "operate")
    if not service.answerer.serves(workload):
        raise UnknownWorkloadError(f"no workload {workload!r} here")
    with _gold(service) as gold:
        yield gold


@contextmanager
def _gold(service: Service) -> Iterator[Gold]:
    if service.gold is None:
        raise ProblemError(NO_GOLD, "This service has no data folder.")
    try:
        yield service.gold
    except MetricsError as error:
        raise ProblemError(NO_GOLD, str(error)) from error
    except KeyError as error:
        raise ProblemError(UNKNOWN_TABLE, f"There is no {error.args[0]!r}.") from error
