"""The study quality report: the manager's charts on paper, each with what it says, its unit and its moment."""

from datetime import datetime

from sqlalchemy.orm import Session

from core.reports.blocks import lead
from core.reports.parts import Part, interval, of, period_words, received_of, rich, share
from core.reports.scope import Scope
from core.reports.study_causes import agreement_section, causes_section, watch_section
from core.reports.study_rates import comparison_section, matrix_section, rates_section, trend_section
from core.reports.typeset import Document
from core.reports.versions import Versions, read_versions
from core.statistics.clustering import proportion_or_none
from core.store.cause import read_findings
from core.store.completeness import read_completeness
from core.store.mark import read_marks
from core.store.overview import Overview, read_overview
from core.store.report_facts import read_study
from core.store.unit import UnitKind
from core.usecases.flag_sites import FlagMatrix, flag_sites
from core.usecases.judge_units import compare_units, visit_factor
from core.wording import count, percent

TITLE = "Study quality report"


def study_report(session: Session, scope: Scope, *, at: datetime) -> tuple[Document, Versions]:
    """The report of ``scope``'s study, read with rights that reach all of it."""
    study, chosen = read_study(session, scope.study_id), scope.of_study
    overview = read_overview(session, chosen, today=at.date())
    factor = visit_factor(session, chosen)
    marks = read_marks(session, chosen)
    matrix = flag_sites(session, chosen, today=at.date(), now=at)
    versions = read_versions(session, chosen, at=at)
    complete = received_of(read_completeness(session, chosen, today=at.date()))
    sections = [
        rates_section(overview, marks, factor),
        matrix_section(matrix),
        *(comparison_section(compare_units(session, chosen, kind)) for kind in (UnitKind.SITE, UnitKind.DEVICE)),
        trend_section(session, scope, marks, at=at),
        causes_section(read_findings(session, chosen), versions),
        agreement_section(session, scope),
        watch_section(session, scope, versions),
    ]
    content = {
        "name": study.words,
        "below": "",
        "period": period_words(scope.since, scope.until),
        "as_of": f"{at:%d %b %Y}",
        "opening": _opening(overview, matrix, complete, factor),
        "methods": rich(_methods(versions, factor)),
        "sections": [section.document for section in sections],
    }
    return Document("study", TITLE, study.code, content), versions


def _opening(overview: Overview, matrix: FlagMatrix, complete: tuple[int, int], factor: float) -> list[Part]:
    tally, work = overview.current, overview.attention
    first = proportion_or_none(tally.gradable, tally.decided, factor)
    final = proportion_or_none(tally.final_gradable, tally.final_received, factor)
    n_received, n_expected = complete
    received = n_received / n_expected if n_expected else None
    red = ", ".join(row.site.label for row in matrix.red)
    flagged = f"**Flagged red: {red}.**" if red else "**No site is flagged red.**"
    tiles = [
        ("Gradable at the first pass", share(first),
         f"{of(tally.gradable, tally.decided)} first captures; {interval(first)}"),
        ("Gradable in the end", share(final),
         f"{of(tally.final_gradable, tally.final_received)} expected scans; {interval(final)}"),
        ("Received of expected", "–" if received is None else percent(received),
         f"{of(n_received, n_expected)} scans so far"),
        ("Reacquisitions open", count(work.open_requests), f"{count(work.overdue_requests)} overdue"),
    ]  # fmt: skip
    few = [row.site.label for row in matrix.sites if not row.is_judged]
    silent = f" Too few captures to judge: {', '.join(few)}." if few else ""
    waiting = f"{count(work.waiting)} scans wait for their score, {count(work.to_decide)} for a person."
    return [
        {"tiles": [{"label": label, "value": value, "note": note} for label, value, note in tiles]},
        lead(f"{flagged} {len(matrix.judged)} of {len(matrix.sites)} sites can be judged.{silent} {waiting}"),
    ]


def _methods(versions: Versions, factor: float) -> str:
    return (
        f"**Versions.** {versions.words} **Definitions.** Gradable means grade 1 or better on every slab that the "
        "protocol requires. The *first-pass rate* counts every decided capture as it first came, replacements left "
        "out; the *final rate* counts received expected scans (subject, visit, eye, type) that have a gradable capture "
        f"by now. Captures of one patient visit resemble each other: {factor:.2f} of them tell as much as one alone; "
        "intervals are Wilson 95 % on that effective number. Requests, waiting scans and completeness are as of now. "
        "Weeks begin on Monday (UTC) and count by day of acquisition. Units with too few captures or patients are "
        "never ranked. What people wrote, and names of subjects, are not in this report."
    )
