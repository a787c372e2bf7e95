"""Schemathesis against the real application's own /openapi.json: all checks, on a real release, spool and database."""

import csv
import io
import os
from dataclasses import replace

import pytest
import schemathesis
from houses import House
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gold import publish
from inference import create_app
from ratchet.observe import PostgresReports
from ratchet.observe.gold_tables import GoldTables
from ratchet.observe.orders import Orders
from ratchet.serve.answer import Answerer
from ratchet.serve.keys import Holder

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "20"))
KEY = "rk_both"
# A schema cannot say that one order waits at a time, that weeks are Sundays, each there once, what a cursor is, or that `since` is first.
SAYS_MORE = ["2xx", "404", "409", "422"]


# Schemathesis itself sends the key, so that it can also leave it out or spoil it and know what it did.
SETTINGS = {
    "checks": {"positive_data_acceptance": {"expected-statuses": SAYS_MORE}},
    "auth": {"openapi": {"ApiKey": {"api_key": KEY}}},
}


@st.composite
def tables(draw):
    """Batches as CSV, some of whose cells make no sense: those rows get a problem each."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(("depot", "target", "horizon"))
    cell = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
    row = st.tuples(
        st.sampled_from(["north/a", "south/ä"]) | cell, st.sampled_from(["sent", "lost"]) | cell, st.integers(-1, 14)
    )
    rows.writerows(draw(st.lists(row, min_size=1, max_size=5)))
    return text.getvalue().encode()


schemathesis.openapi.media_type("text/csv", tables())


@pytest.fixture(scope="module")
def api(postgres, tmp_path_factory):
    house = House(tmp_path_factory.mktemp("house"))
    house.load()
    house.keys.holders[KEY] = Holder(key_id="both", name="both", scopes=frozenset({"predict", "operate"}), digest=b"")
    asked = {"reports": PostgresReports(postgres), "orders": Orders(postgres), "gold": GoldTables(publish(house.home))}
    service = replace(house.service, answerer=Answerer([house.slot]), **asked)
    config = schemathesis.Config.from_dict(SETTINGS)
    return schemathesis.openapi.from_wsgi("/openapi.json", create_app(service), config=config)


@pytest.fixture(autouse=True)
def name_of_the_node(request):
    """Schemathesis 4.32 renames a test by an attribute that pytest 9.1 no longer has."""
    request.node._nodeid = request.node.nodeid


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
def test_what_the_document_says_is_so(case):
    case.call_and_validate()
