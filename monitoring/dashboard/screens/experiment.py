"""*Experiment*: the candidate beside production, what was decided and why, and what a person may order."""

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from monitoring.dashboard import session, words
from monitoring.dashboard.api import Trouble
from monitoring.dashboard.screens import orders, over_time, tracks, verdicts
from monitoring.dashboard.trouble import nothing, shown

Body = dict[str, Any]
MOST = 20
"""Experiments on the page."""
STAGES = {
    "queued": "Waiting for its turn",
    "warmup": "Warming up",
    "canary": "Meeting its first clients",
    "ab": "On trial",
    "awaiting_approval": "Waiting for a person's word",
    "promoting": "Taking over",
    "watch": "Being watched",
}


def show() -> None:
    """Show the page."""
    now = datetime.now(UTC)
    st.title("Experiment")
    experiments = session.ask("experiments", operate=True, limit=MOST)["experiments"]
    live = {track: _live(track) for track in ("production", "candidate")}
    newest = experiments[0] if experiments else None
    _now(newest, live, now)
    rows: dict[str, Body] = {}
    with shown("The comparison"):
        rows = _measured(newest)
        st.caption(_measured_when(newest))
        tracks.show(rows, live, _why(live["production"], experiments), now)
    if newest and newest.get("levels"):
        st.caption(_expected(newest["levels"]))
    if experiments:
        age = now - datetime.fromisoformat(experiments[0]["started_at"])
        judged = experiments[0].get("evidence") or {}  # a winner that was taken back serves and is measured no more
        found = [side.get(track) for side in (rows, live, judged) for track in ("production", "candidate")]
        names = list(dict.fromkeys(row["release"] for row in found if row))
        over_time.show(names, experiments[0]["verdicts"], age=age)
    with shown("Orders"):
        orders.show()
    verdicts.show(experiments)


def _measured(newest: Body | None) -> dict[str, Body]:
    """Each track's figures of the newest trial; of the last day without one."""
    window = {"since": newest["started_at"], "until": _until(newest)} if newest else {}
    found = session.ask("metrics", operate=True, **window)["releases"]
    most: dict[str, Body] = {}
    for row in found:
        if row["track"] and row["forecasts"] > most.get(row["track"], {}).get("forecasts", 0):
            most[row["track"]] = row
    return most


def _expected(levels: list[Body]) -> str:
    """What both releases expected when the candidate had warmed up: whoever is asked to clear it sees every target."""
    said = (
        f"{words.phrase(one['target'])} {words.figure(one['candidate'])} times (production {words.figure(one['production'])})"
        for one in levels
    )
    return f"Before its first client the candidate expected, beside what came lately: {', '.join(said)}."


def _until(newest: Body) -> str | None:
    """When the trial ended: with a promotion, after which the tracks serve other releases, or with the experiment."""
    moved: Body | None = newest["moved"]
    promoted = [one["at"] for one in (moved, *newest["verdicts"]) if moved and one["verdict"] == "promote"]
    until: str | None = promoted[0] if promoted else newest["ended_at"]
    return until


def _measured_when(newest: Body | None) -> str:
    """What time the figures of both tracks are of."""
    if newest is None:
        return "Figures of the last day."
    since, until = words.moment(newest["started_at"]), _until(newest)
    return f"Figures of the trial, {since} to {words.moment(until)}." if until else f"Figures since {since}."


def _live(track: str) -> Body | None:
    """What a track serves; nothing if it serves what the other one does because it has no release of its own."""
    try:
        found = session.ask("release", track=track)
    except Trouble as trouble:
        if trouble.slug == "not-ready":
            return None
        raise
    return found if found["track"] == track else None


def _now(newest: Body | None, live: dict[str, Body | None], now: datetime) -> None:
    production, candidate = (live[track] and live[track]["release"] for track in ("production", "candidate"))  # type: ignore[index]
    if newest is None or newest["ended_at"]:
        nothing(
            f"Nothing is on trial; {production or 'nothing'} is live.",
            "The next training, or `ratchet train`, makes a candidate.",
        )
        if newest and (said := _ended_with(newest)):
            _say(said, now)
        return
    stage = STAGES.get(newest.get("stage") or "ab") or words.title(newest["stage"])
    share = newest.get("share")
    clients = f" with {100 * share:.0f} % of the clients" if isinstance(share, float) and 0 < share <= 1 else ""
    tried = [_called(live[track], newest[track]) for track in ("candidate", "production")]
    pair = f"{' against '.join(tried)}{clients}"
    if (at := live["production"]) and at["release_id"] == newest["candidate"]:  # it has won, and has a name of its own
        beside = live["candidate"]
        beaten = candidate if beside and beside["release_id"] == newest["production"] else "the release"
        pair = f"{production}, beside {beaten} which it beat"
    st.markdown(f"#### {stage}: {pair}")
    st.caption(f"Begun {words.ago(newest['started_at'], now)} ago.")
    said = newest["verdicts"][0] if newest["verdicts"] else None
    if said:
        _say(said, now)
    else:
        nothing("No verdict yet.", "The policy looks every hour; `make traffic` brings users and a look.")
    if newest.get("waits_for") and (said is None or words.listed(newest["waits_for"]) != said["reason"]):
        st.warning(f"**Waits for:** {words.plain(words.listed(newest['waits_for']))}", icon=":material/hourglass_top:")


def _say(said: Body, now: datetime) -> None:
    reason = words.plain(said["reason"])
    st.info(f"**{words.title(said['verdict'])}**, {words.ago(said['at'], now)} ago: {reason}.", icon=":material/gavel:")


def _ended_with(newest: Body) -> Body | None:
    """The look that an experiment's outcome comes from: after a promotion many more follow."""
    said = (newest["moved"], *newest["verdicts"])
    return next((one for one in said if one and one["verdict"] == newest["verdict"]), None)


def _called(release: Body | None, release_id: str) -> str:
    """What people call a release that a track serves; while none does, its id, as *Models* lists it."""
    return str(release["release"]) if release and release["release_id"] == release_id else words.plain(release_id)


def _why(production: Body | None, experiments: list[Body]) -> str:
    """Why production is production: the newest promotion or revert that put it there; nothing where that is not known."""
    if production is None:
        return ""
    puts = {"promote": "candidate", "revert": "production"}
    moved = [(row, row["moved"]) for row in experiments if row["moved"]]
    here = [said for row, said in moved if row[puts[said["verdict"]]] == production["release_id"]]
    if here:
        said = max(here, key=lambda one: datetime.fromisoformat(one["at"]))
        since = "Live" if said["verdict"] == "promote" else "Back"
        return f"{since} since {words.moment(said['at'])}: {words.plain(said['reason'])}."
    oldest = experiments[-1]["production"] if experiments else production["release_id"]
    if moved or len(experiments) == MOST or oldest != production["release_id"]:
        return ""
    return "The first release: live since there was nothing to compare it with."
