"""What a re-evaluation would change, and what earlier ones did: markup from frozen values."""

from collections.abc import Mapping, Sequence

from core.store.re_evaluation import ReEvaluationRow
from core.usecases.re_evaluate import JUDGED, Forecast
from core.vocabulary import Outcome, ReEvaluationState
from core.wording import VERDICT_NAMES
from dashboard.components.markup import Content, Html, chip, count, join, page_link, percent, tag

OUTCOME_NAMES = {
    Outcome.CHANGED: "Judged anew, with another verdict",
    Outcome.SAME: "Judged anew, with the same verdict",
    Outcome.DECIDED: "Decided or asked about by a person, left alone",
    Outcome.REQUESTED: "In an open request to take it again, left alone",
    Outcome.ENDED: "Superseded or closed, left alone",
    Outcome.UNREADABLE: "Cannot be judged: a stored mask or version is not there, left alone",
}
_TONES = {
    ReEvaluationState.WAITING: "info",
    ReEvaluationState.RUNNING: "info",
    ReEvaluationState.DONE: "good",
    ReEvaluationState.STOPPED: "warn",
}


def forecast_words(forecast: Forecast) -> Html:
    """The first line: how many scans would be judged, and how many would change."""
    n_changed = forecast.n_by_outcome[Outcome.CHANGED]
    lead = f"{_scans(forecast.n_judged)} would be judged anew, {count(n_changed)} with another verdict."
    notes = []
    if forecast.n_grades_begin or forecast.n_grades_cease:
        notes.append(
            f"The model's grade begins to count for {_scans(forecast.n_grades_begin)} and ceases to for "
            f"{_scans(forecast.n_grades_cease)}."
        )
    if forecast.n_window_closed:
        notes.append(
            f"{_scans(forecast.n_window_closed)} would have to be taken again although the visit's window has closed."
        )
    return tag("p", tag("b", lead), " ", " ".join(notes), class_="verdict", role="status")


def move_table(forecast: Forecast) -> Html:
    """Verdict by verdict: from, to, how many, and some of them."""
    if not forecast.moves:
        return tag("p", "No verdict would change.", class_="muted")
    rows = [
        tag(
            "tr",
            tag("th", VERDICT_NAMES[before], scope="row"),
            tag("td", VERDICT_NAMES[after]),
            tag("td", count(n), class_="num"),
            tag("td", _links(forecast.examples[before, after], n)),
        )
        for (before, after), n in sorted(forecast.moves.items(), key=lambda move: (-move[1], move[0]))
    ]
    return _table(("Verdict now", "Would become", "Scans", "Some of them"), rows, "Changes of verdict", {2})


def outcome_table(forecast: Forecast) -> Html:
    """Scans by what would become of them, with some of those that are left alone."""
    rows = [
        tag(
            "tr",
            tag("th", OUTCOME_NAMES[outcome], scope="row"),
            tag("td", count(n), class_="num"),
            tag("td", _links(forecast.left.get(outcome, []), n) if outcome not in JUDGED else None),
        )
        for outcome in Outcome
        if (n := forecast.n_by_outcome[outcome])
    ]
    return _table(("What happens", "Scans", "Some of them"), rows, "Scans by what happens", {1})


def rate_table(forecast: Forecast) -> Html:
    """The rates of the captures within reach, before and after."""
    rates = forecast.rates
    lines = (
        ("First captures decided", *map(count, rates.decided)),
        ("First-pass rate: gradable of decided", *_shares(rates.gradable, rates.decided)),
        ("Final rate: gradable in the end of received", *_shares(rates.final_gradable, rates.final_received)),
    )
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", before, class_="num"), tag("td", after, class_="num"))
        for name, before, after in lines
    ]
    return _table(("Rate", "Now", "Would become"), rows, "Rates before and after", {1, 2})


def history_table(rows: Sequence[ReEvaluationRow], counts: Mapping[int, Mapping[Outcome, int]]) -> Html:
    """The re-evaluations of a study: by which version, of what, who and why, how far."""
    body = [
        tag(
            "tr",
            tag("th", f"{row.id}", scope="row"),
            tag("td", f"Version {row.version_number}", tag("span", _reach(row), class_="name")),
            tag("td", row.requested_by, tag("span", f"{row.requested_at:%d %b %Y, %H:%M} UTC", class_="name")),
            tag("td", row.reason),
            tag("td", chip(row.state.value, _TONES[row.state])),
            tag("td", _done(row, counts.get(row.id, {}))),
        )
        for row in rows
    ]
    heads = ("Nr", "By which version", "Ordered by", "Reason", "State", "Scans")
    return _table(heads, body, "Re-evaluations", set())


def _done(row: ReEvaluationRow, counts: Mapping[Outcome, int]) -> Html:
    n_judged = sum(counts.get(outcome, 0) for outcome in JUDGED)
    n_left = sum(counts.values()) - n_judged
    words = f"{count(n_judged)} judged anew, {count(counts.get(Outcome.CHANGED, 0))} changed"
    total = sum(row.foreseen.values())
    lines: list[Content] = [words, tag("span", f"{count(n_left)} left alone", class_="name")]
    if row.is_open and total:
        lines.append(tag("span", f"{percent(sum(counts.values()) / total)} done", class_="name"))
    return join(lines)


def _reach(row: ReEvaluationRow) -> str:
    days = (
        f", captured {f'from {row.reach.since:%d %b %Y} ' if row.reach.since else ''}"
        f"{f'before {row.reach.until:%d %b %Y}' if row.reach.until else ''}".rstrip()
        if row.reach.since or row.reach.until
        else ""
    )
    return f"{row.site_code or 'all sites'}{days}"


def _shares(part: tuple[int, int], whole: tuple[int, int]) -> tuple[str, str]:
    before, after = (
        f"{percent(k / n, 1)} ({count(k)} of {count(n)})" if n else "nothing decided"
        for k, n in zip(part, whole, strict=True)
    )
    return before, after


def _links(scan_ids: Sequence[int], n: int) -> Html:
    links = join((page_link(f"{scan_id}", "scan", {"id": scan_id}) for scan_id in scan_ids), ", ")
    more = n - len(scan_ids)
    return join([links, f" and {count(more)} more"]) if more > 0 else links


def _scans(n: int) -> str:
    return f"{count(n)} scan{'' if n == 1 else 's'}"


def _table(heads: Sequence[str], rows: Sequence[Html], label: str, numbers: set[int]) -> Html:
    head = tag(
        "tr",
        *(tag("th", words, scope="col", class_="num" if at in numbers else None) for at, words in enumerate(heads)),
    )
    return tag(
        "div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label=label,
    )  # fmt: skip
