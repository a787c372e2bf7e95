"""What answers for one workload now, with all that does not change from question to question, and what it has said before."""

from collections.abc import Hashable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from inference.forms import Form, Layout, make_layout, write_rows
from inference.identity import Caller
from inference.questions import Question, list_of, questions
from inference.service import Lines, Service
from inference.tell import Standing, Told, tell
from ratchet.serve.prediction_ids import mint, mint_many
from ratchet.serve.swap import Serving

REMEMBERED: Final = 4096
"""Forms by question, and as many by body; where there is no room for more, they begin anew. About 3 KB each."""
LONGEST_BODY: Final = 300
"""A question has a hundred bytes: whoever pads it has it read each time."""
HORIZON: Final = itemgetter(2)


class Desk:
    """A release that answers, and the forms that it has filled."""

    def __init__(self, service: Service, serving: Serving) -> None:
        card = serving.opened.card
        self.serving = serving
        self.meters = service.metrics.of(card.workload, service.track.value, serving.name)
        self._service = service
        self._standing = Standing(serving.opened)
        self._plain = itemgetter(card.id_name, "target", "horizon")
        model = questions(card.id_name, card.targets, card.horizon)
        self.validate_json = model.__pydantic_validator__.validate_json
        self.validate = model.__pydantic_validator__.validate_python
        self.validate_all = list_of(model).validate_python
        self._by_question: dict[Hashable, Form] = {}
        self._by_body: dict[bytes, Form] = {}
        self._layouts: dict[Hashable, Layout] = {}

    def form_of_body(self, body: bytes) -> Form | None:
        """Return the form for a valid question of a known series, None if it brings a history; else an error."""
        form = self._by_body.get(body)
        if form is None:
            question = self.validate_json(body)
            if question.history is not None:
                return None
            form = self.form(question)
            if len(body) <= LONGEST_BODY:
                _keep(self._by_body, body, form)
        return form

    def form(self, question: Question) -> Form:
        """Return the form for a question that is answered from the release."""
        form = self._by_question.get(_name(question))
        if form is None:
            opened = self.serving.opened
            row = opened.row(question.unique_id, question.target)
            form = self.lay_out(question, row, opened.rendered(row, question.horizon))
        return form

    def lay_out(self, question: Question, row: int, weeks: bytes) -> Form:
        """Make the form for a row of the release, and remember it; one that a history came with is nobody else's."""
        form = self.form_of(question, self._standing.tell(question, row, weeks))
        if question.history is None:
            _keep(self._by_question, _name(question), form)
        return form

    def form_of(self, question: Question, told: Told) -> Form:
        """Make the form for what is said of a question."""
        alike = (question.target, question.horizon, question.left_out(), told.family, told.note)
        layout = self._layouts.get(alike)
        if layout is None:
            layout = make_layout(self._service.track, self.serving, question, told)
            _keep(self._layouts, alike, layout)
        return layout.form(question.unique_id, told.weeks)

    def form_now(self, question: Question, now: datetime) -> Form:
        """Return the form for any question; one that has a history may be answered from it."""
        return (
            self.form(question)
            if question.history is None
            else self.form_of(question, tell(self.serving.opened, question, now))
        )

    def recall(self, asked: Sequence[Any]) -> list[Form | None]:
        """Return the forms of plain items that were valid before; a batch with any other item in it is not looked at here."""
        nothing: list[Form | None] = [None] * len(asked)
        try:
            keys = list(map(self._plain, asked))
            # True and 1.0 are 1 to a dictionary, and are no horizons.
            if set(map(len, asked)) == {3} and set(map(type, map(HORIZON, keys))) == {int}:
                return list(map(self._by_question.get, keys))
        except (KeyError, TypeError):  # no objects, other fields, or values that can be no key
            pass
        return nothing

    def settle(self, form: Form, asker: Caller, log: Lines, *, now: datetime) -> bytes:
        """Sign a forecast, write it down and count it; only then is it an answer."""
        prediction_id = self.sign(now)
        rows = write_rows([form], [prediction_id], asker, at=now)
        log.append_lines(rows, 1, {form.answer_id: form.line})
        self.meters.answered(form.target)
        return form.fill(prediction_id)

    def sign(self, now: datetime) -> bytes:
        """Return a new prediction id, which says who answers."""
        service, serving = self._service, self.serving
        of = serving.release.workload
        return mint(service.secret, now, workload=of, track=service.track, release=serving.name).encode()

    def sign_many(self, now: datetime, count: int) -> list[bytes]:
        """Return so many new ids."""
        service, serving = self._service, self.serving
        of = serving.release.workload
        return mint_many(service.secret, now, count, workload=of, track=service.track, release=serving.name)


class Desks:
    """One desk per workload: a new one as soon as another release serves."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._desks: dict[str, Desk] = {}

    def of(self, workload: str) -> Desk:
        """Return who answers now; an error if nobody does."""
        serving = self._service.answerer.serving(workload)
        desk = self._desks.get(workload)
        if desk is None or desk.serving is not serving:
            desk = self._desks[workload] = Desk(self._service, serving)
        return desk


def _name(question: Question) -> Hashable:
    plain = (question.unique_id, question.target, question.horizon)
    return (*plain, unwanted) if (unwanted := question.left_out()) else plain


def _keep(kept: dict[Any, Any], name: Hashable, value: object) -> None:
    if len(kept) >= REMEMBERED:
        kept.clear()
    kept[name] = value
