"""What a release has said before: a form for each question, found by what it asks or by the very bytes that asked."""

from collections.abc import Hashable, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, Final, TypeVar

from pydantic_core import from_json

from inference.forms import Form
from inference.items import MAX_ITEMS, read_json
from inference.questions import Question

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")

REMEMBERED: Final = 4096
"""Forms by question, and as many by body and by text in a batch; where there is no room for more, they begin anew. About 3 KB each."""
LONGEST_BODY: Final = 300
"""A question has a hundred bytes: whoever pads it has it read each time."""
HORIZON: Final = itemgetter(2)
SPELLINGS: Final = ((b'{"items":[{', b"},{"), (b'{"items": [{', b"}, {"))
"""How a batch begins and goes on as programs write it: without spaces, or with one after each colon and comma."""
END: Final = b"}]}"


class Memory:
    """The forms of one release. What nobody was answered with is not here."""

    def __init__(self, id_name: str) -> None:
        self._plain = itemgetter(id_name, "target", "horizon")
        self._by_question: dict[Hashable, Form] = {}
        self._by_body: dict[bytes, Form] = {}
        self._by_text: dict[bytes, Form] = {}

    def of_question(self, question: Question) -> Form | None:
        """Return the form for a question, however it was written."""
        return self._by_question.get(_name(question))

    def of_body(self, body: bytes) -> Form | None:
        """Return the form for a question that was written like this."""
        return self._by_body.get(body)

    def of_items(self, asked: Sequence[Any]) -> list[Form | None]:
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

    def of_batch(self, body: bytes) -> list[Form] | None:
        """Return the forms for a batch of which each is here; None, or a problem, for every other body."""
        texts = _texts_of(body)
        forms = list(map(self._by_text.get, texts))
        if None in forms or not 1 <= len(forms) <= MAX_ITEMS:
            forms = self.of_items(read_json(body))
            if None not in forms:
                self._learn(texts)
        return None if None in forms else forms  # type: ignore[return-value]  # mypy does not follow `in`

    def _learn(self, texts: list[bytes]) -> None:
        """Remember what each text asks, read by itself: a batch of such texts is an object of such objects, and is not read again."""
        with suppress(ValueError):
            asked = [from_json(b"{%b}" % text, allow_inf_nan=False) for text in texts if len(text) <= LONGEST_BODY]
            if len(asked) == len(texts):
                for text, form in zip(texts, self.of_items(asked), strict=True):
                    if form is not None:
                        remember(self._by_text, text, form)

    def keep(self, question: Question, form: Form) -> None:
        """Remember what was said to a question."""
        remember(self._by_question, _name(question), form)

    def keep_body(self, body: bytes, form: Form) -> None:
        """Remember what was said to these bytes, which are a valid question."""
        if len(body) <= LONGEST_BODY:
            remember(self._by_body, body, form)


def remember(kept: dict[Name, Value], name: Name, value: Value) -> None:
    """Keep a value among some thousands."""
    if len(kept) >= REMEMBERED:
        kept.clear()
    kept[name] = value


def _texts_of(body: bytes) -> list[bytes]:
    """Return what stands between the braces of a batch's items; nothing of one that is spelt in another way."""
    for begin, between in SPELLINGS:
        if body.startswith(begin) and body.endswith(END):
            return body[len(begin) : -len(END)].split(between)
    return []


def _name(question: Question) -> Hashable:
    plain = (question.unique_id, question.target, question.horizon)
    return (*plain, unwanted) if (unwanted := question.left_out()) else plain
