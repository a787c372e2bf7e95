"""*Live*: the Prometheus panels that matter, and every alert that fires, for who has no Grafana."""

from datetime import UTC, datetime

import streamlit as st

from monitoring.dashboard import charts, session, times, words
from monitoring.dashboard.prometheus import Alert, Span
from monitoring.dashboard.trouble import nothing, shown

HOURS = {"Last 15 minutes": 0.25, "Last hour": 1.0, "Last 6 hours": 6.0, "Last day": 24.0}
MOST = 6
"""Lines in a chart: those that are largest now."""
RUNS = (  # of a counter that began within the hour all that it counts: `increase` would leave out its first run
    "sum by (dag_id) (round(increase(airflow_dag_run_seconds_count[1h])) and airflow_dag_run_seconds_count offset 1h"
    " or airflow_dag_run_seconds_count)"
)
# Title, unit, label that tells lines apart, expression, digits of the sentence under it.
PANELS = (
    ("Forecasts answered", "Per second", "track", "sum by (track) (rate(ratchet_requests_total[2m]))", 2),
    ("Time to answer, 95th percentile", "Milliseconds", "track",
     "1000 * histogram_quantile(0.95, sum by (track, le) (rate(ratchet_request_seconds_bucket[5m])))", 2),
    ("Failed forecasts", "Percent", "track",
     '100 * sum by (track) (rate(ratchet_requests_total{status=~"5.."}[5m])) / (sum by (track) (rate(ratchet_requests_total[5m])) > 0)', 2),
    ("Clients' forecasts on the candidate", "Percent", "line",
     '100 * sum(rate(ratchet_requests_total{track="candidate"}[10m])) / (sum(rate(ratchet_requests_total[10m])) > 0)', 1),
    ("Log waiting on disk", "Records", "track", "sum by (track) (ratchet_log_spool_records)", 0),
    ("Processor time by service", "Cores", "service", "ratchet:service_cores:rate5m", 2),
    ("Memory by service", "MB", "service", "sum by (service) (ratchet_service_memory_bytes) / 1e6", 0),
    ("Runs of DAGs", "In the last hour", "dag_id", RUNS, 0),
)  # fmt: skip


def show() -> None:
    """Show the page."""
    st.title("Live")
    session.check(operate=True)
    _alerts()  # without Prometheus there is nothing on this page: it is waited for once
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    span = Span.last(HOURS[left.selectbox("Show", list(HOURS), index=1)])
    right.caption("Read from Prometheus when the page is opened; change the time, or reload, to read again.")
    for start in range(0, len(PANELS), 2):
        for column, panel in zip(st.columns(2), PANELS[start : start + 2], strict=False):
            with column, shown(panel[0]):
                _panel(*panel, span=span)


def _alerts() -> None:
    found = session.prometheus().alerts()
    if firing := [alert for alert in found if alert.is_firing]:
        now = datetime.now(UTC)
        head = f"**{len(firing)} alert{'s' if len(firing) > 1 else ''} firing.** docs/runbook.md says more of each."
        told = [head, *(f"- {_told(alert, now)}" for alert in firing)]
        st.error("\n".join(told), icon=":material/notifications_active:")
    else:
        st.success("No alert fires.", icon=":material/check:")
    if soon := sorted({alert.name for alert in found} - {alert.name for alert in firing}):
        st.warning(f"Fires soon, if it lasts: {', '.join(soon)}.", icon=":material/hourglass_top:")


def _told(alert: Alert, now: datetime) -> str:
    """An alert in a line: how urgent, since when, what is wrong, and what to do."""
    what = f"**{alert.name}**, {alert.severity}, for {words.ago(alert.since, now)}: {words.plain(alert.summary)}."
    return f"{what} *To do:* {words.plain(alert.action)}." if alert.action else what


def _panel(title: str, unit: str, name: str, query: str, digits: int, *, span: Span) -> None:
    frame = session.prometheus().lines(query, span=span, name=name)
    if frame.empty:
        st.markdown(f"##### {title}")
        nothing("Nothing was measured in this time.", "It appears with the first requests or runs.")
        return
    last = times.newest(frame, span).sort_values("value", ascending=False).head(MOST)
    frame = frame[frame["line"].isin(last.index)]
    says = (
        "; ".join(
            f"{'' if name == 'line' else f'{line} '}{row.value:,.{digits}f}{row.when}"
            for line, row in last.head(4).iterrows()
        )
        + f" ({unit if unit.isupper() else unit.lower()}), newest."
    )
    shades = charts.TRACKS if name == "track" else None
    charts.show(
        times.lines(frame, unit=unit, span=span, shades=shades),
        title=title,
        says=says,
        table=frame,
        key=f"live-{title}",
    )
