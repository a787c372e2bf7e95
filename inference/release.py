"""What this track serves: `GET /api/<workload>/release`, and for which series: `GET /api/<workload>/series`."""

from typing import Annotated

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ConfigDict, Field

from inference import tables
from inference.identity import require
from inference.items import CSV
from inference.respond import JSON, as_json
from inference.service import Service


class Wanted(BaseModel):
    """Which page of the series is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: Annotated[str, Field(max_length=200)] = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


def make(service: Service) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("release", __name__)

    @bp.get("/api/<workload>/release")
    def release(workload: str) -> Response:
        require(service, "predict")
        serving = g.serving = service.answerer.serving(workload)
        card = serving.opened.card
        return as_json(
            {
                "workload": workload,
                "track": service.track.value,
                "release": serving.name,
                "release_id": card.release_id,
                "version": serving.release.semantic_version,
                "issue": serving.opened.issue,
                "data_hour": serving.opened.data_hour,
                "trained_on": card.data_hour,
                "made_at": serving.opened.made_at,
                "code_version": card.code_version,
                "targets": card.targets,
                "horizon": card.horizon,
                "series": card.series,
                "families": card.families,
                "scores": card.scores,
                "coverage": card.coverage,
                "synthetic": card.synthetic,
            }
        )

    @bp.get("/api/<workload>/series")
    def series(workload: str) -> Response:
        require(service, "predict")
        serving = g.serving = service.answerer.serving(workload)
        wanted = Wanted.model_validate(request.args.to_dict())
        page = serving.opened.series(search=wanted.search, limit=wanted.limit, offset=wanted.offset)
        id_name = serving.opened.card.id_name
        if request.accept_mimetypes.best_match([JSON, CSV]) == CSV:
            return Response(tables.write_names(page.series, id_name=id_name), mimetype=CSV)
        found = [{id_name: unique_id, "target": target} for unique_id, target in page.series]
        return as_json({"total": page.total, "limit": wanted.limit, "offset": wanted.offset, "series": found})

    return bp
