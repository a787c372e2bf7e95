"""`POST /api/<workload>/predict`: the coming weeks of one series, written down before they are answered."""

from flask import Blueprint, Response

from inference.desk import Desks
from inference.here import body, kept
from inference.identity import caller, require
from inference.respond import JSON
from inference.service import Service


def make(service: Service, desks: Desks) -> Blueprint:
    """Make the blueprint."""
    bp = Blueprint("predict", __name__)

    @bp.post("/api/<workload>/predict")
    def predict(workload: str) -> Response:
        require(service, "predict")
        desk = desks.of(workload)
        kept().serving = desk.serving
        question = desk.validate_json(body())
        now = service.clock()
        form = desk.form_now(question, now)
        if kept().get("replayed"):
            return Response(form.fill(desk.sign(now)), content_type=JSON)
        return Response(desk.settle(form, caller(service), service.log, now=now), content_type=JSON)

    return bp
