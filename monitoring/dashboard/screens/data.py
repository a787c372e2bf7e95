"""*Data*: how fresh and how good it is, and every table that the workload publishes, shown by the shape of its columns."""

from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import streamlit as st

from monitoring.dashboard import charts, session, words
from monitoring.dashboard.trouble import nothing, shown

Body = dict[str, Any]
NUMBERS: Final = ("bigint", "integer", "double", "float", "hugeint", "decimal", "smallint", "ubigint", "real")
GRID: Final = ("weekday", "hour_of_day")
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PLUMBING: Final = ("series",)
"""What training reads: the Forecast page shows it better."""
NO_MEASURES: Final = ("place", "cluster", "k", "silhouette", "threshold")
"""Numbers that order or name, or that are the same in each row: none is larger than another in a way that a bar shows."""
CELLS: Final = 7 * 24
TOP: Final = 15
REJECTED: Final = 'sum by (reason) (ratchet_rejected_events_total{workload="%s"})'
FAILED: Final = 'sum by (check) (ratchet_quality_failures_total{workload="%s"})'


def show() -> None:
    """Show the page."""
    now = datetime.now(UTC)
    st.title("Data")
    with st.spinner("Reading gold …"):
        found = session.ask("tables", operate=True)
    cells = st.columns(4)
    cells[0].metric(
        "Age of the newest data",
        words.ago(found["data_hour"], now),
        border=True,
        help="Since the newest hour that landed",
    )
    cells[1].metric("Last complete week", found["last_week"] or words.NOTHING, border=True)
    cells[2].metric("Series", words.figure(found["series"], 0), border=True)
    cells[3].metric("Kind", "Synthetic" if found["synthetic"] else "Real", border=True)
    with shown("Quality"):
        _quality(found["quality"])
    tables = [table for table in found["tables"] if table["name"] not in PLUMBING]
    if not tables:
        nothing("No table is published yet.", "The ingest DAG makes them.")
        return
    named = {words.title(table["name"]): table for table in tables}
    chosen = st.segmented_control("Table", list(named), default=next(iter(named)))
    if chosen:
        with shown(chosen):
            _table(named[chosen])


def _quality(report: Body | None) -> None:
    checks = report.get("checks", []) if report else []
    if checks:
        failed = [one["name"] for one in checks if not one["passed"]]
        passed = f"{len(checks) - len(failed)} of {len(checks)} checks of this data passed."
        st.markdown("##### Quality")
        if failed:
            st.warning(f"{passed} Failed: {words.plain(', '.join(failed))}.", icon=":material/warning:")
        else:
            st.success(passed, icon=":material/check:")
        with st.expander("Every check"):
            table = pd.DataFrame([{**one, "passed": "yes" if one["passed"] else "no"} for one in checks])
            st.dataframe(table.rename(columns=words.title), hide_index=True, key="checks")
    rows = [
        {"What": what, "Which": next(iter(labels.values()), ""), "Count": int(value)}
        for what, query in (("Rejected", REJECTED), ("Failed check", FAILED))
        for labels, value in session.prometheus().now(query % session.workload())
        if value > 0
    ]
    if rows:
        st.caption("Records of all raw files that were rejected, and checks that ever failed, by reason.")
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="rejected")
    elif not checks:
        st.caption("No quality report has been published with this data; what dbt's tests refuse never becomes gold.")


def _table(table: Body) -> None:
    if table["description"]:
        st.write(table["description"])
    numbers = [
        one["name"]
        for one in table["columns"]
        if one["type"].split("(")[0] in NUMBERS and one["name"] not in (*GRID, *NO_MEASURES)
    ]
    if not numbers:
        _rows(table, _read(table, order=None))
        return
    measure = st.selectbox("Measure", numbers, format_func=words.title, key=f"measure-{table['name']}")
    if described := next(one["description"] for one in table["columns"] if one["name"] == measure):
        st.caption(described)
    if set(GRID) <= {one["name"] for one in table["columns"]}:
        _grid(table, measure)
    else:
        _longest(table, measure)
    _rows(table, _read(table, order=measure))


def _read(table: Body, *, order: str | None) -> pd.DataFrame:
    query = {"order": order} if order else {}
    return pd.DataFrame(session.ask("tables/rows", operate=True, table=table["name"], limit=1000, **query)["rows"])


def _groups(table: Body, by: tuple[str, ...], measure: str, **how: object) -> pd.DataFrame:
    """Groups over all of a table's rows, however many: a page of them would be a part of the picture."""
    named = {"table": table["name"], "by": ",".join(by), "measure": measure, **how}
    found = session.ask("tables/groups", operate=True, **named)["groups"]
    return pd.DataFrame(found, columns=[*by, "value"]).rename(columns={"value": measure}).dropna()


def _grid(table: Body, measure: str) -> None:
    only = {}
    if text := _text(table):
        known = _groups(table, (text,), measure, limit=1000)[text]
        wanted = st.selectbox(words.title(text), ["All", *sorted(known)], key=f"{table['name']}-{text}")
        only = {} if wanted == "All" else {"only": text, "holds": wanted}
    summed = _groups(table, GRID, measure, limit=CELLS, **only)
    if summed.empty:
        return
    summed["weekday"] = summed["weekday"].map(lambda number: DAYS[int(number) - 1])
    most = summed.loc[summed[measure].idxmax()]
    says = f"Most on {most['weekday']}s from {most['hour_of_day']:.0f} to {most['hour_of_day'] + 1:.0f} h UTC: {most[measure]:,.0f}."
    chart = charts.heat(
        summed, across="hour_of_day", down="weekday", value=measure, unit=words.title(measure), order=DAYS
    )
    charts.show(
        chart, title=f"{words.title(measure)} by hour and weekday", says=says, table=summed, key=f"grid-{table['name']}"
    )


def _text(table: Body) -> str | None:
    return next((str(one["name"]) for one in table["columns"] if one["type"] == "varchar"), None)


def _longest(table: Body, measure: str) -> None:
    text = _text(table)
    if text is None:
        return
    most = _groups(table, (text,), measure, how="max", limit=TOP)
    if most.empty:
        return
    first = most.iloc[0]
    says = f"Largest: {words.plain(str(first[text]))}, {first[measure]:,.6g}; the first {len(most)}, each by the largest value in its rows."
    chart = charts.bars(most, name=text, value=measure, unit=f"{words.title(measure)}, largest row of each")
    charts.show(
        chart,
        title=f"{words.title(table['name'])}: {words.phrase(measure)}",
        says=says,
        table=most,
        key=f"top-{table['name']}",
    )


def _rows(table: Body, frame: pd.DataFrame) -> None:
    with st.expander(f"Rows: {min(len(frame), table['rows']):,} of {table['rows']:,}", expanded=False):
        said = {
            one["name"]: st.column_config.Column(label=words.title(one["name"]), help=one["description"] or None)
            for one in table["columns"]
        }
        st.dataframe(frame, hide_index=True, column_config=said, key=f"rows-{table['name']}")
        st.download_button("These rows as CSV", frame.to_csv(index=False), f"{table['name']}.csv", "text/csv")
