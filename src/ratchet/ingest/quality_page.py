"""What a quality report holds, and how it looks as a page."""

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from string import Template
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What a build took in, as the warehouse counts it: in all, and in the files that no published gold was judged by yet."""

    records: int
    events: int
    duplicates: int
    rejected: int
    new_records: int
    new_rejected: int
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    hard: bool
    passed: bool
    found: str
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was looked at before a partition."""

    workload: str
    partition: str
    data_hour: str
    checked_at: str
    synthetic: bool
    checks: tuple[Check, ...]
    intake: Intake

    @property
    def moves(self) -> bool:
        """Whether gold may move."""
        return all(check.passed for check in self.checks if check.hard)


_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$workload: quality of $partition</title>
<style>:root{color-scheme:light dark}
body{font:15px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;overflow-wrap:anywhere}
.failed{background:#fdd;color:#000}.odd{background:#ffc;color:#000}
.checks td:first-child,.checks td:nth-child(n+4){white-space:nowrap}
@media (max-width:40rem){.checks th{display:none}.checks td{display:block;border:0;padding:0 .3rem}
.checks td:first-child{font-weight:600;margin-top:.6rem}.checks td:nth-child(2)::before{content:"found: "}
.checks td:nth-child(3)::before{content:"wanted: "}.checks td:nth-child(4)::before{content:"if it fails: "}}</style></head>
<body><h1>$workload: gold $verdict</h1>
<p>Partition $partition, data up to $data_hour, looked at $checked_at.$synthetic</p>
<table class="checks"><tr><th>check</th><th>found</th><th>wanted</th><th>if it fails</th><th></th></tr>$checks</table>
<h2>Records</h2><table>$intake</table><h2>Rejected, by reason</h2><table>$reasons</table></body></html>
""")


def render(report: Report) -> str:
    """The report as a page of its own."""
    rows = "".join(
        _row(
            *(check.name, check.found, check.wanted, "gold stays" if check.hard else "is reported"),
            "passed" if check.passed else "failed",
            mark="" if check.passed else "failed" if check.hard else "odd",
        )
        for check in report.checks
    )
    intake = asdict(report.intake)
    reasons = sorted(intake.pop("reasons").items())
    return _PAGE.substitute(
        workload=html.escape(report.workload),
        partition=html.escape(report.partition),
        data_hour=report.data_hour,
        checked_at=report.checked_at,
        synthetic=" The data is synthetic." if report.synthetic else "",
        verdict="moved" if report.moves else "stayed as it was",
        checks=rows,
        intake="".join(_row(name.replace("_", " "), str(count)) for name, count in intake.items()),
        reasons="".join(_row(reason, str(count)) for reason, count in reasons) or _row("none"),
    )


def _row(*cells: str, mark: str = "") -> str:
    return f'<tr class="{mark}">' + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
