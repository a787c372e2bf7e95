"""What can be asked of the service, as a table: `/openapi.json` is made from it, and a test holds it against the routes."""

from dataclasses import dataclass
from typing import Any, Final

from inference import gold_shapes as gold
from inference import operator_shapes, orders, shapes, table_shapes
from inference.feedback import Feedback
from inference.items import MAX_ITEMS
from inference.operator_shapes import ExperimentPage, LogPage, Window
from inference.questions import Question, questions
from inference.release import Wanted
from ratchet.contracts.release import Card

GUARDED: Final = ("401", "403", "404", "422", "429", "503")
POSTED: Final = ("400", "413", "415", *GUARDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked: what it takes, what it says and how it fails."""

    method: str
    path: str
    does: str
    answer: Any
    fails: tuple[str, ...]
    scope: str | None = None
    body: Any = None
    query: Any = None
    status: str = "200"
    csv: bool = False


OF_THE_SERVICE: Final = (
    Operation(method="get", path="/api/health", does="Is it alive?", answer=shapes.Alive, fails=()),
    Operation(method="get", path="/api/ready", does="Is a release loaded?", answer=shapes.Ready, fails=("503",)),
)


def of_workload(root: str, card: Card | None) -> tuple[Operation, ...]:
    """Return what can be asked of one workload, in its own words if a release is loaded."""
    question = questions(card.id_name, card.targets, card.horizon) if card else Question
    id_name = card.id_name if card else "unique_id"
    scope = "predict"
    return (
        Operation(
            method="post", path=f"{root}/predict", does="Forecast one series", scope=scope, fails=POSTED,
            body=question, answer=shapes.forecast(id_name),
        ),
        Operation(
            method="post", path=f"{root}/predict/batch", does=f"Forecast up to {MAX_ITEMS} series; JSON or CSV, in and out",
            scope=scope, fails=POSTED, body=shapes.items_of(question, at_most=MAX_ITEMS), answer=shapes.batch(id_name), csv=True,
        ),
        Operation(
            method="get", path=f"{root}/series", does="What can be asked for; as CSV it is a batch's questions", scope=scope,
            fails=GUARDED, query=Wanted, answer=shapes.series(id_name), csv=True,
        ),
        Operation(
            method="post", path=f"{root}/feedback", does="Say what you think of a forecast, or what really happened",
            scope=scope, fails=POSTED, body=Feedback, answer=shapes.Accepted, status="202",
        ),
        Operation(
            method="get", path=f"{root}/release", does="What this track serves", scope=scope, fails=GUARDED,
            answer=shapes.Release,
        ),
        Operation(
            method="get", path=f"{root}/metrics", does="Forecasts and feedback by track and release", scope="operate",
            fails=GUARDED, query=Window, answer=operator_shapes.Summary,
        ),
        Operation(
            method="get", path=f"{root}/logs", does="Forecasts or feedback, filtered and paged", scope="operate",
            fails=GUARDED, query=LogPage, answer=operator_shapes.Logs,
        ),
        Operation(
            method="get", path=f"{root}/experiments", does="Experiments, evidence and verdicts", scope="operate",
            fails=GUARDED, query=ExperimentPage, answer=operator_shapes.Experiments,
        ),
        Operation(
            method="get", path=f"{root}/drift_report", does="The newest drift report", scope="operate",
            fails=GUARDED, answer=operator_shapes.DriftReport,
        ),
        *of_gold(root, id_name),
        *of_orders(root),
    )  # fmt: skip


def of_gold(root: str, id_name: str) -> tuple[Operation, ...]:
    """Return what can be asked of the data behind the forecasts."""
    return (
        Operation(
            method="get", path=f"{root}/series/detail", does="A series' history, and what each family would say",
            scope="predict", fails=GUARDED, query=gold.Named, answer=gold.detail_of(id_name),
        ),
        Operation(
            method="get", path=f"{root}/release/scores", does="How well each series was forecast on held-out weeks",
            scope="predict", fails=GUARDED, query=gold.ScorePage, answer=gold.scores_of(id_name),
        ),
        Operation(
            method="get", path=f"{root}/tables", does="The tables that the workload publishes", scope="operate",
            fails=GUARDED, answer=table_shapes.Tables,
        ),
        Operation(
            method="get", path=f"{root}/tables/rows", does="A page of a table", scope="operate", fails=GUARDED,
            query=table_shapes.TablePage, answer=table_shapes.TableRows,
        ),
        Operation(
            method="get", path=f"{root}/tables/groups", does="A table summed, or its maxima, by columns: over all of its rows",
            scope="operate", fails=GUARDED, query=table_shapes.GroupPage, answer=table_shapes.TableGroups,
        ),
    )  # fmt: skip


def of_orders(root: str) -> tuple[Operation, ...]:
    """Return what people may ask the loop to do."""
    return (
        Operation(
            method="get", path=f"{root}/orders", does="What people asked the loop to do", scope="operate", fails=GUARDED,
            answer=orders.OrderList,
        ),
        Operation(
            method="post", path=f"{root}/orders", does="Ask the loop to promote, roll back or hold", scope="operate",
            fails=(*POSTED, "409"), body=orders.Wish, answer=orders.Order, status="202",
        ),
        Operation(
            method="post", path=f"{root}/orders/withdraw", does="Take back an order that waits", scope="operate",
            fails=POSTED, body=orders.Withdrawal, answer=orders.Withdrawn,
        ),
    )  # fmt: skip
