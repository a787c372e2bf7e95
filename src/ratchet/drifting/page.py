"""A drift report as one page of HTML: nothing is fetched, nothing runs."""

from collections.abc import Mapping
from html import escape

import numpy as np

from ratchet import reference
from ratchet.contracts.drift import DriftReport, FeatureReference, Indicator, Observations

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d8dee4}
td.n{text-align:right;font-variant-numeric:tabular-nums}.drift{background:#fff1e5}svg{display:block}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}td,th{border-color:#30363d}.drift{background:#3a2410}}
"""
HEIGHT, BAR, GAP = 34, 7, 2


def render(
    report: DriftReport, features: Mapping[str, FeatureReference], recent: Mapping[str, Observations], *, asked: bool
) -> str:
    """Every feature with its figures, its distribution then and now, and where the data came from."""
    rows = [
        _row(name, indicator, report.origins.get(name, ""), _bars(features.get(name), recent.get(name)))
        for name, indicator in sorted(report.indicators.items(), key=lambda item: item[1].p_value)
    ]
    missing = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in sorted(report.not_judged.items()))
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Drift of {escape(report.workload)}</title><style>{STYLE}</style>
<h1>Drift of {escape(report.workload)}</h1>
<p>{escape(_verdict(report, asked=asked))}</p>
<p>Release {escape(report.release_id)}, looked at {report.at:%Y-%m-%d %H:%M} UTC, beside its own data at training time.</p>
<table><thead><tr><th>feature<th>mean moved<th>PSI<th>p, corrected<th>test<th>then (grey), now<th>recent data from</thead>
<tbody>{"".join(rows)}</tbody></table>
{f"<h2>Not judged</h2><ul>{missing}</ul>" if missing else ""}
<p>p values allow for weeks that resemble each other and for series that move together (docs/decisions/0007), and for the number of
features (Benjamini and Yekutieli).</p></html>
"""


def _verdict(report: DriftReport, *, asked: bool) -> str:
    if not report.drifting:
        return "Nothing that could be judged drifts."
    said = f"{', '.join(report.drifting)}: drifting"
    if not report.confirmed:
        return f"{said}; the next look at new data has to agree before anything is done."
    return f"{said}, confirmed; {'a new candidate has been asked for' if asked else 'it is known already'}."


def _row(name: str, indicator: Indicator, origin: str, bars: str) -> str:
    figures = (f"{indicator.drift_percentage:+.1f} %", f"{indicator.psi:.3f}", f"{indicator.p_value:.2g}")
    cells = "".join(f'<td class="n">{figure}' for figure in figures)
    mark = ' class="drift"' if indicator.significant_drift else ""
    return f"<tr{mark}><td>{escape(name)}{cells}<td>{escape(indicator.test)}<td>{bars}<td>{escape(origin)}</tr>"


def _bars(kept: FeatureReference | None, recent: Observations | None) -> str:
    if kept is None or recent is None:
        return ""
    now = reference.shares(reference.flatten(recent)[0], np.array(kept.edges))
    highest = max(*kept.shares, *now.tolist())
    drawn = []
    for place, (then, share) in enumerate(zip(kept.shares, now.tolist(), strict=True)):
        for shift, value, colour in ((0, then, "#8c959f"), (BAR, share, "#d1570a")):
            tall = HEIGHT * value / highest
            left = place * (2 * BAR + GAP) + shift
            drawn.append(
                f'<rect x="{left}" y="{HEIGHT - tall:.1f}" width="{BAR}" height="{tall:.1f}" fill="{colour}"/>'
            )
    width = len(kept.shares) * (2 * BAR + GAP)
    return f'<svg width="{width}" height="{HEIGHT}" role="img" aria-label="shares by decile">{"".join(drawn)}</svg>'
