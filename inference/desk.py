"""What answers for one workload now, with all that does not change from question to question, and what it has said before."""

from datetime import datetime

from inference.forms import Form, Layout, make_layout, write_rows
from inference.identity import Caller
from inference.memory import Memory, remember
from inference.questions import Question, list_of, questions
from inference.service import Lines, Service
from inference.tell import Standing, Told, find_row, tell
from ratchet.serve.prediction_ids import mint, mint_many
from ratchet.serve.swap import Serving


class Desk:
    """A release that answers, and the forms that it has filled."""

    def __init__(self, service: Service, serving: Serving) -> None:
        card = serving.opened.card
        self.serving = serving
        self.meters = service.metrics.of(card.workload, service.track.value, serving.name)
        self._service = service
        self.memory = Memory(card.id_name)
        self._standing = Standing(serving.opened)
        model = questions(card.id_name, card.targets, card.horizon)
        self.validate_json = model.__pydantic_validator__.validate_json
        self.validate = model.__pydantic_validator__.validate_python
        self.validate_all = list_of(model).validate_python
        self._layouts: dict[tuple[object, ...], Layout] = {}

    def form_of_body(self, body: bytes) -> Form | None:
        """Return the form for a valid question of a known series, None if it brings a history; else an error."""
        form = self.memory.of_body(body)
        if form is None:
            question = self.validate_json(body)
            if question.history is not None:
                return None
            form = self.form(question)
            self.memory.keep_body(body, form)
        return form

    def form(self, question: Question) -> Form:
        """Return the form for a question that is answered from the release."""
        form = self.memory.of_question(question)
        if form is None:
            opened = self.serving.opened
            row = find_row(opened, question.unique_id, question.target, history_may_be_posted=True)
            form = self.lay_out(question, row, opened.rendered(row, question.horizon))
        return form

    def lay_out(self, question: Question, row: int, weeks: bytes) -> Form:
        """Make the form for a row of the release, and remember it; one that a history came with is nobody else's."""
        form = self.form_of(question, self._standing.tell(question, row, weeks))
        if question.history is None:
            self.memory.keep(question, form)
        return form

    def form_of(self, question: Question, told: Told) -> Form:
        """Make the form for what is said of a question."""
        alike = (question.target, question.horizon, question.left_out(), told.family, told.note)
        layout = self._layouts.get(alike)
        if layout is None:
            layout = make_layout(self._service.track, self.serving, question, told)
            remember(self._layouts, alike, layout)
        return layout.form(question.unique_id, told.weeks)

    def form_now(self, question: Question, now: datetime) -> Form:
        """Return the form for any question; one that has a history may be answered from it."""
        return (
            self.form(question)
            if question.history is None
            else self.form_of(question, tell(self.serving.opened, question, now))
        )

    def settle(self, form: Form, asker: Caller, log: Lines, *, now: datetime) -> bytes:
        """Sign a forecast, write it down and count it; only then is it an answer."""
        prediction_id = self.sign(now)
        rows = write_rows((form.row,), (prediction_id,), asker, at=now)
        log.append_lines(rows, 1, {form.answer_id: form.line})
        self.meters.answered(form.target)
        return form.fill(prediction_id)

    def describe(self) -> dict[str, str]:
        """Say who answers."""
        serving = self.serving
        return {"workload": serving.release.workload, "track": self._service.track.value, "release": serving.name}

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
