"""A batch that is recognised by its bytes is the one that reading it would have found."""

from types import SimpleNamespace

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.forms import refuse
from inference.memory import Memory
from inference.problems import ProblemError

TRICKY = ["a", "ä", "a},{b", "a}, {b", '"}]}', '{"items":[{', "},{", "\\", "a\x1fb"]
KNOWN = {
    (depot, target, weeks): refuse(f"{depot} {target} {weeks}".encode())
    for depot in TRICKY
    for target in ("sent", "lost")
    for weeks in (1, 2)
}
ITEMS = st.fixed_dictionaries(
    {
        "depot": st.sampled_from(TRICKY),
        "target": st.sampled_from(["sent", "lost"]),
        "horizon": st.sampled_from([1, 1, 2, 2, 1.0, True, 3]),
    }
)


def remembering():
    memory = Memory("depot")
    for (depot, target, weeks), form in KNOWN.items():
        question = SimpleNamespace(unique_id=depot, target=target, horizon=weeks, left_out=frozenset)
        memory.keep(question, form)
    return memory


def found(memory, body):
    try:
        return memory.of_batch(body)
    except ProblemError:
        return None


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(ITEMS, max_size=4),
            st.sampled_from([b'{"items":[', b'{"items": [', b'{"items" :[', b'{"items":[[]],"items":[']),
            st.sampled_from([b",", b", ", b" ,"]),
            st.sampled_from([b"]}", b"] }", b"]}\n", b'],"x":1}', b"]"]),
        ),
        max_size=6,
    )
)
def test_what_was_read_before_changes_nothing(batches):
    taught = remembering()
    for _ in range(2):
        for items, begin, between, end in batches:
            body = begin + between.join(map(orjson.dumps, items)) + end
            assert found(taught, body) == found(remembering(), body)


def test_a_batch_is_not_read_twice(monkeypatch):
    memory, items = remembering(), [{"depot": "a", "target": target, "horizon": 1} for target in ("sent", "lost")]
    bodies = [orjson.dumps({"items": items}), b'{"items": [%b]}' % b", ".join(map(orjson.dumps, items))]
    first = [memory.of_batch(body) for body in bodies]
    for reading in ("from_json", "read_json"):
        monkeypatch.setattr(f"inference.memory.{reading}", None)
    assert [memory.of_batch(body) for body in (*bodies, *bodies)] == first * 2
