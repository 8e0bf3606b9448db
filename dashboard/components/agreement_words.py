"""Agreement in sentences and cards, and the scans that two grades dispute. Markup from frozen values."""

from collections.abc import Sequence

from core.policy.grading_plan import Settlement
from core.statistics.agreement_intervals import Agreement
from core.statistics.resampling import Interval
from core.store.blind_grade import MaskedScan
from core.store.grading_view import MOST_SETTLED, SettledScan
from core.usecases.compare_grades import GradeComparison
from core.values import NotComputable
from core.wording import GRADE_NAMES, SLAB_NAMES, with_minus
from dashboard.components.markup import Html, count, join, page_link, percent, tag
from dashboard.components.pager import counted

MOST_LISTED = 25


def agreement_cards(comparison: GradeComparison) -> Html:
    """Model with people beside people with people: the second is what the first can be measured by."""
    return tag(
        "div",
        _card("Model and people", comparison.model, "The model's grade against each masked grade of a person."),
        _card("Person and person", comparison.people, "Masked grades of two people for the same scan: the yardstick."),
        class_="rates",
    )


def consensus_cards(comparison: GradeComparison) -> Html:
    """The model against what was settled, beside each grader against themselves."""
    return tag(
        "div",
        _card("Model and consensus", comparison.consensus, "What graders agreed on, or an adjudicator settled."),
        _card("One person twice", comparison.repeats, "A grader's first grade against the masked repeat of it."),
        class_="rates",
    )


def _card(title: str, found: Agreement | NotComputable, what: str) -> Html:
    if isinstance(found, NotComputable):
        return tag("section", tag("h3", title), tag("p", f"Not computable: {found.reason}."), class_="rate")
    kappa = found.kappa
    lead = with_minus(f"κ {kappa.value:.2f}") if isinstance(kappa, Interval) else "κ not computable"
    span = _span(kappa) if isinstance(kappa, Interval) else kappa.reason
    figure = tag("div", tag("strong", lead), tag("span", span, class_="muted"), class_="figure")
    facts = [
        f"Equal in {percent(found.percent.value)} ({percent(found.percent.low)} – {percent(found.percent.high)})",
        with_minus(f"Gwet's AC1 {found.ac1.value:.2f} ({_span(found.ac1)})"),
        f"{count(found.n_scans)} pairs of {count(found.n_patients)} patients",
    ]
    return tag(
        "section", tag("h3", title), figure, tag("p", f"{'. '.join(facts)}. {what}", class_="what"), class_="rate"
    )


def _span(interval: Interval) -> str:
    return with_minus(f"95 % interval {interval.low:.2f} – {interval.high:.2f}")


def disputed_list(scans: Sequence[MaskedScan]) -> Html:
    """Scans on whose gradability two grades differ, each leading to its page."""
    rows = [_row(scan) for scan in scans[:MOST_LISTED]]
    heads = [tag("th", name, scope="col") for name in ("Scan", "Where", "Slab", "Model", "People")]
    return tag(
        "div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)), class_="scroll", tabindex="0",
        role="region", aria_label="Disputed scans",
    )  # fmt: skip


def settled_words(settled: Sequence[SettledScan]) -> Html:
    """How many scans were settled, and how."""
    n_agreed = sum(scan.settlement is Settlement.AGREEMENT for scan in settled)
    checked = [scan for scan in settled if scan.is_senior_check]
    n_changed = sum(scan.is_overruled for scan in checked)
    words = (
        f"{counted(len(settled), 'scans')} settled: {count(n_agreed)} by the graders' agreement, "
        f"{count(len(settled) - n_agreed)} by an adjudicator, {count(len(checked))} of them as the senior check, which "
        f"changed {count(n_changed)}."
    )
    cut = f" Counted are the latest {count(MOST_SETTLED)}; there may be more." if len(settled) >= MOST_SETTLED else ""
    return tag("p", words + cut, " ", page_link("Plan and progress", "grading", {"view": "plan"}))


def adjudicated_list(settled: Sequence[SettledScan]) -> Html:
    """Scans that an adjudicator settled, the newest first, with the grades that led there."""
    rows = [_settled_row(scan) for scan in settled if scan.settlement is Settlement.ADJUDICATION][:MOST_LISTED]
    heads = [tag("th", name, scope="col") for name in ("Scan", "Where", "Slab", "Model", "Graders", "Consensus")]
    return tag(
        "div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)), class_="scroll", tabindex="0",
        role="region", aria_label="Scans settled by an adjudicator",
    )  # fmt: skip


def _settled_row(scan: SettledScan) -> Html:
    model = "abstained" if scan.model_ordinal is None else GRADE_NAMES[scan.model_ordinal]
    graders = join([GRADE_NAMES[ordinal] for ordinal in sorted(scan.ordinals)], " · ")
    return tag(
        "tr",
        tag("th", page_link(f"Scan {scan.scan_id}", "scan", {"id": scan.scan_id}), scope="row"),
        tag("td", f"{scan.site_code} · {scan.device_code}"),
        tag("td", SLAB_NAMES[scan.slab]),
        tag("td", model),
        tag("td", graders),
        tag("td", GRADE_NAMES[scan.consensus_ordinal]),
    )


def _row(scan: MaskedScan) -> Html:
    model = "abstained" if scan.model_ordinal is None else GRADE_NAMES[scan.model_ordinal]
    people = join([GRADE_NAMES[ordinal] for _, ordinal in scan.grades], " · ")
    return tag(
        "tr",
        tag("th", page_link(f"Scan {scan.scan_id}", "scan", {"id": scan.scan_id}), scope="row"),
        tag("td", f"{scan.site_code} · {scan.device_code}"),
        tag("td", SLAB_NAMES[scan.slab]),
        tag("td", model),
        tag("td", people),
    )
