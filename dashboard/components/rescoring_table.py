"""Orders to score scans again, how far they are, and what adopting would do: markup from frozen values."""

from collections.abc import Mapping, Sequence

from core.store.rescoring import RescoringCounts, RescoringRow
from core.usecases.compare_findings import Move, WordMove
from core.vocabulary import AdoptionOutcome, ReEvaluationState, RescoredState
from core.wording import KIND_NAMES
from dashboard.components.markup import Content, Html, chip, count, join, page_link, percent, tag
from dashboard.components.plain_table import plain_table

OUTCOME_NAMES = {
    AdoptionOutcome.CHANGED: "The new score counts, with another verdict",
    AdoptionOutcome.SAME: "The new score counts, with the same verdict",
    AdoptionOutcome.DECIDED: "Decided or asked about by a person, left alone",
    AdoptionOutcome.REQUESTED: "In an open request to take it again, left alone",
    AdoptionOutcome.ENDED: "Superseded or closed, left alone",
    AdoptionOutcome.OUTDATED: "Judged by another protocol version since, left alone",
}
_TONES = {
    ReEvaluationState.WAITING: "info",
    ReEvaluationState.RUNNING: "info",
    ReEvaluationState.DONE: "good",
    ReEvaluationState.STOPPED: "warn",
}
ADOPTED = (AdoptionOutcome.CHANGED, AdoptionOutcome.SAME)


def order_table(rows: Sequence[RescoringRow], counts: Mapping[int, RescoringCounts]) -> Html:
    """The orders of a study: with which model, of what, who and why, how far."""
    body = [
        tag(
            "tr",
            tag("th", f"{row.id}", scope="row"),
            tag("td", row.model, tag("span", _reach(row), class_="name")),
            tag("td", row.requested_by, tag("span", f"{row.requested_at:%d %b %Y, %H:%M} UTC", class_="name")),
            tag("td", row.reason),
            tag("td", chip(row.state.value, _TONES[row.state])),
            tag("td", _progress(row, counts.get(row.id))),
            tag("td", _adoption(row, counts.get(row.id))),
        )
        for row in rows
    ]
    heads = ("Nr", "With which model", "Ordered by", "Reason", "State", "Scans", "Adopted")
    return plain_table(heads, body, "Orders to score again")


def _progress(row: RescoringRow, counts: RescoringCounts | None) -> Html:
    if counts is None:
        return join(["nothing to score"])
    lines: list[Content] = [f"{count(counts.states.get(RescoredState.SCORED, 0))} of {count(counts.total)} scored"]
    if n_failed := counts.states.get(RescoredState.FAILED, 0):
        lines.append(tag("span", f"{count(n_failed)} could not be scored", class_="name"))
    if row.is_open and counts.total:
        lines.append(tag("span", f"{percent(counts.n_ended / counts.total)} done", class_="name"))
    return join(lines)


def _adoption(row: RescoringRow, counts: RescoringCounts | None) -> Html:
    if row.adopted_at is None:
        return join(["no: nothing counts by it"])
    outcomes = counts.outcomes if counts else {}
    n_adopted = sum(outcomes.get(outcome, 0) for outcome in ADOPTED)
    words = f"{count(n_adopted)} count, {count(outcomes.get(AdoptionOutcome.CHANGED, 0))} with another verdict"
    left = sum(outcomes.values()) - n_adopted
    who = f"{row.adopted_by}, {row.adopted_at:%d %b %Y, %H:%M} UTC"
    state = "" if row.adoption_ended_at else " · being carried out"
    return join(
        [
            words,
            tag("span", f"{count(left)} left alone{state}", class_="name"),
            tag("span", f"{who}: {row.adoption_reason}", class_="name"),
        ]
    )


def _reach(row: RescoringRow) -> str:
    since = f" from {row.reach.since:%d %b %Y}" if row.reach.since else ""
    until = f" before {row.reach.until:%d %b %Y}" if row.reach.until else ""
    days = f", captured{since}{until}" if since or until else ""
    return f"{KIND_NAMES[row.kind]}, {row.site_code or 'all sites'}{days}"


def outcome_table(outcomes: Mapping[AdoptionOutcome, int]) -> Html:
    """Scans by what adopting would do to them."""
    rows = [
        tag("tr", tag("th", OUTCOME_NAMES[outcome], scope="row"), tag("td", count(n), class_="num"))
        for outcome in AdoptionOutcome
        if (n := outcomes.get(outcome, 0))
    ]
    return plain_table(("If these scores counted", "Scans"), rows, "What adopting would do", {1})


def findings_table(moves: Sequence[Move], champion: str, challenger: str) -> Html:
    """What both versions measured: medians, and between which bounds the differences lie."""
    heads = ("Measured", f"{champion}, median", f"{challenger}, median", "Difference, median", "Middle 95 %", "Scans")
    return plain_table(heads, [_move_row(move) for move in moves], "What both versions measured", {1, 2, 3, 4, 5})


def _move_row(move: Move) -> Html:
    figure = move.figure
    head = tag("th", f"{figure.name}, {figure.unit}" if figure.unit else figure.name, scope="row")
    if isinstance(move, WordMove):
        said = f"the same on {count(move.n_same)} of {count(move.n_both)} scans"
        return tag("tr", head, tag("td", said, colspan=4, class_="num"), tag("td", count(move.n_both), class_="num"))
    form = f".{figure.decimals}f"
    cells = [
        f"{move.former:{form}}", f"{move.other:{form}}", f"{move.moved:+{form}}",
        f"{move.low:+{form}} to {move.high:+{form}}",
    ]  # fmt: skip
    alone = move.n_former_only + move.n_other_only
    note = tag("span", f"{count(alone)} more by one version only", class_="name") if alone else None
    return tag("tr", head, *(tag("td", cell, class_="num") for cell in cells),
               tag("td", count(move.n_both), note, class_="num"))  # fmt: skip


def failure_list(failures: Sequence[tuple[int, str]]) -> Html:
    """Scans that could not be scored again, and why."""
    rows = [
        tag("tr", tag("th", page_link(f"Scan {scan_id}", "scan", {"id": scan_id}), scope="row"), tag("td", message))
        for scan_id, message in failures
    ]
    return plain_table(("Could not be scored again", "Why"), rows, "Scans that could not be scored again")
