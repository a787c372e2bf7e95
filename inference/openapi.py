"""`/openapi.json`, made from the models that check requests; its form follows what the loaded releases declare."""

from collections.abc import Iterator
from typing import Any, Final

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from inference import shapes
from inference.items import CSV
from inference.operations import OF_THE_SERVICE, Operation, of_workload
from inference.service import Service
from ratchet.contracts.release import Card

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
KEY: Final = "ApiKey"
MEANING: Final = {
    "400": "The body is not JSON",
    "401": "The key is missing, unknown or revoked",
    "403": "The key lacks the scope",
    "404": "Not known here",
    "409": "Something is in the way",
    "413": "The body is larger than 1 MiB",
    "415": "The body is compressed, or encoded in another way",
    "422": "The request is not valid; `errors` names the first wrong fields",
    "429": "Too many requests; `Retry-After` says how long to wait",
    "503": "Nothing can be answered now; try again",
}
ABOUT: Final = (
    "Forecasts with bounds, and what you make of them. Every answer carries X-Request-ID (yours, if it is 1 to 64 characters"
    " of A-Z a-z 0-9 . _ : -), X-Track and, where a release answered, X-Release. Errors are application/problem+json."
)


Cards = dict[str, Card | None]


class Document:
    """The document as bytes, made when a release with another card is loaded: who asks for it needs no key, so it may not cost much."""

    def __init__(self, service: Service, version: str) -> None:
        self._answerer = service.answerer
        self._version = version
        self._made: tuple[Cards, bytes] | None = None

    def content(self) -> bytes:
        """Return the document of the service as it is now."""
        loaded = {workload: self._answerer.current(workload) for workload in self._answerer.workloads()}
        cards = {workload: serving.opened.card if serving else None for workload, serving in loaded.items()}
        made = self._made
        if made is None or made[0] != cards:
            made = self._made = cards, orjson.dumps(describe(cards, self._version))
        return made[1]


def describe(cards: Cards, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a service with these workloads, in the words of the releases that are loaded."""
    components: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for tag, prefix, operation in _everything(cards):
        entry = _entry(operation, prefix=prefix, components=components)
        paths.setdefault(operation.path, {})[operation.method] = entry | {"tags": [tag]}
    scheme = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ratchet", "version": version, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {KEY: scheme}},
    }


def _everything(cards: Cards) -> Iterator[tuple[str, str, Operation]]:
    for operation in OF_THE_SERVICE:
        yield "service", "", operation
    for workload, card in cards.items():
        for operation in of_workload(f"/api/{workload}", card):
            yield workload, f"{workload}.", operation


def _entry(operation: Operation, *, prefix: str, components: dict[str, Any]) -> dict[str, Any]:
    def refer(model: Any, mode: JsonSchemaMode) -> dict[str, Any]:  # noqa: ANN401, any type that pydantic knows
        return _collect(model, mode, prefix=prefix, components=components)

    answer = {JSON: {"schema": refer(operation.answer, "serialization")}}
    problem = {PROBLEM: {"schema": _collect(shapes.Problem, "serialization", prefix="", components=components)}}
    plain = {CSV: {"schema": {"type": "string"}}} if operation.csv else {}
    responses = {operation.status: {"description": operation.does, "content": answer | plain}}
    responses |= {status: {"description": MEANING[status], "content": problem} for status in operation.fails}
    entry: dict[str, Any] = {"summary": operation.does, "responses": responses}
    entry["operationId"] = f"{operation.method}{operation.path.replace('/', '_')}"
    if operation.scope:
        entry |= {"security": [{KEY: []}], "description": f"Needs a key with the scope `{operation.scope}`."}
    if operation.body:
        body = {JSON: {"schema": refer(operation.body, "validation")}}
        entry["requestBody"] = {"required": True, "content": body | plain}
    if operation.query:
        entry["parameters"] = list(_parameters(operation.query))
    return entry


def _parameters(query: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401, any type that pydantic knows
    schema = TypeAdapter(query).json_schema()
    needed = schema.get("required", ())
    for name, each in schema["properties"].items():
        yield {"name": name, "in": "query", "required": name in needed, "schema": each}


def _collect(model: Any, mode: JsonSchemaMode, *, prefix: str, components: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    schema = TypeAdapter(model).json_schema(mode=mode, ref_template=f"#/components/schemas/{prefix}{{model}}")
    components.update({f"{prefix}{name}": body for name, body in schema.pop("$defs", {}).items()})
    if "title" not in schema:
        return schema
    components[f"{prefix}{schema['title']}"] = schema
    return {"$ref": f"#/components/schemas/{prefix}{schema['title']}"}
