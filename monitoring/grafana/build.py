"""Boards as Grafana's JSON."""

from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, GridPos, VariableHide, VariableRefresh

from monitoring.grafana.panels import Board, Panel, Query

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
HEIGHT: Final = {"number": 4, "states": 6, "lines": 8, "table": 6}
VARIABLES: Final = {
    "workload": "label_values(ratchet_release_info, workload)",
    "track": "label_values(ratchet_requests_total, track)",
    "release": "label_values(ratchet_requests_total, release)",
}
VERDICTS: Final = 'sum by (workload, verdict) (increase(ratchet_verdicts_total{workload=~"$workload"}[1m])) > 0'

AnyPanel = timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel


def render(board: Board) -> str:
    """Return a board as JSON: the same board is the same text."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["ratchet"])
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("utc")
        .annotation(_verdicts())
    )
    for name, query in VARIABLES.items():
        made = made.with_variable(_variable(name, query))
    for title, panels in board.rows:
        made = made.with_row(dashboard.Row(title))
        for panel in panels:
            made = made.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def _verdicts() -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name("Verdicts")
        .datasource(SOURCE)
        .expr(VERDICTS)
        .enable(enable=True)
        .icon_color("orange")
    )


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.title())
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .hide(VariableHide.DONT_HIDE)
    )


def _panel(panel: Panel) -> AnyPanel:
    made = _of_kind(panel).title(panel.title).description(panel.description).datasource(SOURCE).unit(panel.unit)
    made = (
        made.grid_pos(GridPos(h=HEIGHT[panel.kind], w=panel.wide, x=0, y=0)).span(panel.wide).height(HEIGHT[panel.kind])
    )
    for number, query in enumerate(panel.queries):
        made = made.with_target(_target(query, chr(ord("A") + number), panel))
    return made


def _of_kind(panel: Panel) -> AnyPanel:
    match panel.kind:
        case "number":
            return stat.Panel().no_value("\u2013")
        case "states":
            return statetimeline.Panel()
        case "table":
            return table.Panel()
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
    )
    return (
        timeseries.Panel().legend(legend).min(0)
        if panel.unit in ("reqps", "percentunit", "bytes")
        else timeseries.Panel().legend(legend)
    )


def _target(query: Query, ref: str, panel: Panel) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).legend_format(query.says).ref_id(ref)
    return made.instant() if panel.kind == "table" else made.range()
