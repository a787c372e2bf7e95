"""A rehearsal as one page of HTML with its plots inside: nothing is fetched, nothing runs."""

from html import escape
from typing import Any, Final

from ratchet.rehearsal.report import LOOP, VERDICTS, to_text

COLOURS: Final = {
    LOOP: "var(--loop)",
    "never retrained": "var(--never)",
    "always the newest": "var(--newest)",
    "oracle": "var(--oracle)",
}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 960, 300, 44, 28, 14
STYLE: Final = """
:root{--ink:#1b1f24;--paper:#fff;--line:#d8dee4;--loop:#0b63ce;--never:#8c959f;--newest:#b25800;--oracle:#2a7d46;--bad:#fff1e5}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--line:#30363d;--loop:#6cb0ff;--never:#8b949e;--newest:#f0a35e;
--oracle:#5bc27a;--bad:#3a2410}}
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
td.n{text-align:right;font-variant-numeric:tabular-nums}.bad{background:var(--bad)}svg{width:100%;height:auto}
text{fill:var(--ink);font:12px system-ui,sans-serif}pre{white-space:pre-wrap}
"""


def render(body: dict[str, Any]) -> str:
    """The whole page."""
    note = " This history is synthetic: it says nothing of real series." if body["synthetic"] else ""
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Rehearsal of {escape(body["workload"])}</title><style>{STYLE}</style>
<h1>Rehearsal of {escape(body["workload"])}</h1>
<p>{body["weeks"]} weeks of {body["series"]} series from {escape(body["source"])}, {body["from"]} to {body["to"]}; policy
{escape(body["policy"]["mode"])}, seed {body["seed"]}.{note}</p>
{_ways(body)}<h2>Realised error by week</h2>{_plot(body)}
<p>{body["hours_lost"]:g} hours lost to bad candidates; {body["requests_hurt"]:,} of {body["requests"]:,} requests hurt.</p>
<h2>Trials</h2>{_trials(body)}<h2>All of it as text</h2><pre>{escape(to_text(body))}</pre></html>
"""


def _ways(body: dict[str, Any]) -> str:
    rows = []
    for way, mase in body["mase"].items():
        against = body["against"].get(way)
        told = f"{against['percent']:+.1f} % ({against['low']:+.1f} to {against['high']:+.1f})" if against else ""
        rows.append(
            f'<tr><td style="color:{COLOURS[way]}">{escape(way)}<td class="n">{mase:.4f}<td class="n">{told}</tr>'
        )
    return f"<table><tr><th>way of choosing a release<th>MASE<th>the loop against it (95 %)</tr>{''.join(rows)}</table>"


def _plot(body: dict[str, Any]) -> str:
    weeks = body["by_week"]
    known = {way: [(at, week[way]) for at, week in enumerate(weeks) if week[way] is not None] for way in body["mase"]}
    highest = max(error for told in known.values() for _, error in told) * 1.05

    def place(at: int, value: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - 10) * (at / max(1, len(weeks) - 1))
        return across, TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest)

    lines = [_line([place(at, error) for at, error in known[way]], way) for way in reversed(body["mase"])]
    marks = [_mark(event, weeks, place) for event in body["events"] if event["kind"] in VERDICTS]
    axis = [_tick(place(0, highest * part)[1], highest * part) for part in (0.25, 0.5, 0.75)]
    legend = [
        f'<text x="{LEFT + 150 * at}" y="{HEIGHT - 6}" style="fill:{COLOURS[way]}">{escape(way)}</text>'
        for at, way in enumerate(body["mase"])
    ]
    inside = "".join([*axis, *lines, *marks, *legend])
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="realised error by week">{inside}</svg>'


def _line(points: list[tuple[float, float]], way: str) -> str:
    told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    width = 2.5 if way == LOOP else 1.3
    return f'<polyline points="{told}" fill="none" stroke="{COLOURS[way]}" stroke-width="{width}"><title>{escape(way)}</title></polyline>'


def _mark(event: dict[str, Any], weeks: list[dict[str, Any]], place: Any) -> str:  # noqa: ANN401  # a local function
    at = max((n for n, week in enumerate(weeks) if week["week"] <= event["at"][:10]), default=0)
    x, _ = place(at, 0.0)
    told = escape(f"{event['at'][:10]} {event['kind']} {event['release']}: {event['reason']}")
    letter = {"promote": "▲", "rollback": "▼", "revert": "◄", "inconclusive": "·"}.get(event["kind"], "✕")
    return f'<text x="{x:.1f}" y="{TOP + 2}" text-anchor="middle">{letter}<title>{told}</title></text>'


def _tick(y: float, value: float) -> str:
    line = f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
    return f'{line}<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>'


def _trials(body: dict[str, Any]) -> str:
    head = "<tr><th>began<th>candidate<th>came to<th>hours with clients<th>requests<th>hurt<th>its errors later</tr>"
    return f"<table>{head}{''.join(map(_trial, body['trials']))}</table>"


def _trial(trial: dict[str, Any]) -> str:
    later = trial["hindsight_percent"]
    figures = (
        f"{trial['hours_exposed']:g}",
        f"{trial['requests'][1]:,}",
        f"{trial['requests_hurt']:,}",
        "" if later is None else f"{later:+.1f} %",
    )
    cells = "".join(f'<td class="n">{figure}' for figure in figures)
    came_to = escape(", ".join(trial["verdicts"]) or trial["stage"])
    kind = "bad" if trial["was_bad"] else "fine"
    return f"<tr class={kind}><td>{trial['began'][:10]}<td>{escape(trial['candidate'])}<td>{came_to}{cells}</tr>"
