"""The site report card: one page that says how a site does, why its scans fail and what to do. Names no other site."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from core.charts.funnel import FEW, FEWER, WATCH, WORSE, standing
from core.charts.position import draw_position
from core.charts.weekly import draw_counts, draw_rates, week_points
from core.reports.chart_image import chart_svg
from core.reports.parts import Cell, Part, bar, interval, named, of, period_words, received_of, rich, share, table
from core.reports.scope import Scope
from core.reports.typeset import Document
from core.reports.versions import Versions, read_versions
from core.statistics.clustering import proportion_or_none
from core.statistics.funnel import MIN_COUNTED, MIN_PATIENTS
from core.statistics.survival import DurationQuantile, TurnAround, turn_around
from core.store.cause import FindingCounts, read_findings
from core.store.completeness import read_completeness
from core.store.mark import Mark, read_marks
from core.store.overview import GroupTally, Overview, read_overview
from core.store.report_facts import Named, read_site, read_study
from core.store.site_week import Waits, read_waits
from core.store.tally import Tally
from core.store.unit import UnitCount, UnitKind, read_units
from core.usecases.judge_units import JudgedUnit, UnitComparison, compare_units, visit_factor
from core.wording import REASON_NAMES, count, days_words, percent

TITLE = "Site report card"
MOST_REASONS, MOST_GROUPS = 4, 6
"""So many rows fit the page whatever else is on it."""
_TONES = {WORSE: "bad", WATCH: "warn", FEWER: "good", FEW: "calm"}
_WEEKS_WIDTH_PX, _POSITION_WIDTH_PX = 560, 300


def site_card(session: Session, scope: Scope, *, at: datetime) -> tuple[Document, Versions]:
    """The card of ``scope``'s site, read with rights that reach the whole study: it is compared with its sums."""
    assert scope.site_id is not None, "a site's card is of a site"
    study, site = read_study(session, scope.study_id), read_site(session, scope.site_id)
    own, whole = scope.chosen, scope.of_study
    overview, all_sites = (read_overview(session, chosen, today=at.date()) for chosen in (own, whole))
    factor = visit_factor(session, own)
    comparison = compare_units(session, whole, UnitKind.SITE)
    versions = read_versions(session, own, at=at)
    findings = read_findings(session, own).all
    technicians = read_units(session, own, UnitKind.TECHNICIAN)
    complete = received_of(read_completeness(session, own, today=at.date()))
    waits = read_waits(session, own, now=at).get(site.id)
    marks = read_marks(session, own)
    content = {
        "name": site.words,
        "below": site.country,
        "period": period_words(scope.since, scope.until),
        "as_of": f"{at:%d %b %Y}",
        "verdict": _verdict(comparison, site),
        "rates": _rates(overview, all_sites.current, factor),
        **_weeks(overview, marks, factor),
        "position": _position(comparison, site),
        "facts": _facts(overview, findings, complete, waits),
        "reasons": _reasons(findings, versions),
        **_groups("devices", overview.devices, factor),
        **_groups("technicians", [_as_group(each) for each in technicians], factor),
        "notes": _notes(study, versions, factor),
    }
    return Document("site", TITLE, f"{study.code}, {site.code}", content), versions


def _own(comparison: UnitComparison, site: Named) -> JudgedUnit | None:
    return next((unit for unit in comparison.units if unit.unit.key == str(site.id)), None)


def _verdict(comparison: UnitComparison, site: Named) -> Part:
    unit = _own(comparison, site)
    if unit is None or comparison.funnel is None:
        return {"tone": "calm", "lead": "Nothing decided in this period.", "text": "No rate can be given."}
    usual = f"The usual rate of the study's sites, without those far outside, is {percent(comparison.funnel.target)}."
    poor = unit.point.count
    rate = f"{of(poor.k, poor.n)} first captures are ungradable ({percent(unit.point.rate.value)})."
    where = standing(unit)
    leads = {
        WORSE: "More failures than chance explains: above the 99.8 % limit.",
        WATCH: "To be watched: above the 95 % limit.",
        FEWER: "Fewer failures than usual.",
        FEW: f"Too few to judge: fewer than {MIN_COUNTED} decided captures or {MIN_PATIENTS} patients.",
    }
    return {
        "tone": _TONES.get(where, "info"),
        "lead": leads.get(where, "Within the limits."),
        "text": f"{rate} {usual}",
    }


def _rates(overview: Overview, whole: Tally, factor: float) -> list[Part]:
    own = overview.current
    undecided = own.received - own.decided
    waiting = f" {count(undecided)} more {'is' if undecided == 1 else 'are'} not decided yet." if undecided else ""
    first = "replacements left out: how well the site shoots."
    final = "received scans with a gradable capture by now, replacements included."
    return [
        _rate("Gradable at the first pass", (own.gradable, own.decided), (whole.gradable, whole.decided),
              factor=factor, unit="first captures", what=f"Of those decided, {first}{waiting}"),
        _rate("Gradable in the end", (own.final_gradable, own.final_received),
              (whole.final_gradable, whole.final_received), factor=factor, unit="expected scans",
              what=f"These are {final}"),
    ]  # fmt: skip


def _rate(title: str, own: tuple[int, int], whole: tuple[int, int], *, factor: float, unit: str, what: str) -> Part:
    rate = proportion_or_none(*own, factor)
    of_study = whole[0] / whole[1] if whole[1] else None
    beside = f" The upright marks the study: {percent(of_study)}." if of_study is not None else ""
    return {
        "title": title, "value": share(rate), "interval": interval(rate), "bar": bar(rate)["bar"], "study": of_study,
        "counts": f"{of(*own)} {unit}", "what": what + beside,
    }  # fmt: skip


def _weeks(overview: Overview, marks: Sequence[Mark], factor: float) -> Part:
    points = week_points(overview.weeks, factor)
    caption = (
        "**First pass** counts each capture as it first came, **final** each expected scan that has a gradable capture "
        "by now. The band is the first pass's 95 % interval; bars are captures decided. Weeks of few vary by chance."
        + (" Dashed uprights are marked events." if marks else "")
    )
    return {
        "weeks": {
            "svg": chart_svg(draw_rates(points, marks), width_px=_WEEKS_WIDTH_PX, height_px=230),
            "alt": "First-pass and final gradable rate by week of acquisition, with 95 % intervals.",
            "caption": rich(caption),
        },
        "counts": {
            "svg": chart_svg(draw_counts(points), width_px=_WEEKS_WIDTH_PX, height_px=58),
            "alt": "First captures decided, by week of acquisition.",
        },
    }


def _position(comparison: UnitComparison, site: Named) -> Part | None:
    if comparison.funnel is None:
        return None
    n_sites = len(comparison.units)
    return {
        "svg": chart_svg(draw_position(comparison, str(site.id)), width_px=_POSITION_WIDTH_PX, height_px=290),
        "alt": "Funnel plot: this site among all sites of the study, which are not named.",
        "caption": rich(
            f"**Large mark: this site**, of {n_sites}. A site that fails as often as usual stays below the upper solid "
            "line in 998 of 1000 cases and below the dashed one in 39 of 40."
        ),
    }


def _facts(overview: Overview, findings: FindingCounts, complete: tuple[int, int], waits: Waits | None) -> list[Part]:
    work = overview.attention
    overdue = f"{count(work.overdue_requests)} overdue" if work.overdue_requests else "none overdue"
    repeated = proportion_or_none(findings.repeated_gradable, findings.repeated, 1.0)
    helped = of(findings.repeated_gradable, findings.repeated) if findings.repeated else "no scan was taken again"
    n_received, n_expected = complete
    received = n_received / n_expected if n_expected else None
    return [
        _fact("Reacquisitions open", count(work.open_requests), overdue),
        _fact("Repeats that helped", share(repeated), helped),
        _turn_around(waits),
        _fact("Received of expected", "–" if received is None else percent(received),
              f"{of(n_received, n_expected)} scans so far" if n_expected else "nothing expected"),
        _fact("Waiting", count(work.waiting + work.to_decide),
              f"{count(work.waiting)} to score, {count(work.to_decide)} to decide"),
    ]  # fmt: skip


def _turn_around(waits: Waits | None) -> Part:
    label = "Turn-around"
    found = turn_around(waits.seconds, waits.is_decided) if waits else None
    if not isinstance(found, TurnAround) or not isinstance(found.median, DurationQuantile):
        return _fact(label, "–", "too few scans decided")
    p90 = found.p90
    late = f", 9 of 10 in {_lasting(p90.value)}" if isinstance(p90, DurationQuantile) else ", 9 of 10 still open"
    return _fact(label, _lasting(found.median.value), f"median{late}")


def _lasting(seconds: float) -> str:
    return days_words(seconds / 86400)


def _fact(label: str, value: str, note: str) -> Part:
    return {"label": label, "value": value, "note": note}


def _reasons(findings: FindingCounts, versions: Versions) -> Part:
    ordered = sorted(findings.first_causes.items(), key=lambda item: (-item[1], item[0]))[:MOST_REASONS]
    rows: list[list[Cell]] = []
    for code, n in ordered:
        label = REASON_NAMES[code]
        rows.append([named(label), of(n, findings.failed), percent(n / findings.failed),
                     versions.protocol.reason(code).remedy])  # fmt: skip
    heads = (
        ("Weightiest cause", "left", "1.1fr"), ("Failures", "right", "auto"), ("Share", "right", "auto"),
        ("What to do", "left", "3.1fr"),
    )  # fmt: skip
    return table(heads, rows)


def _as_group(each: UnitCount) -> GroupTally:
    return GroupTally(int(each.unit.key), each.unit.label, "", each.tally, each.patients)


def _groups(kind: str, groups: Sequence[GroupTally], factor: float) -> Part:
    """The table of devices or technicians, and the sentence below it; those too few to judge are not ranked."""
    seen = sorted((group for group in groups if group.tally.received), key=_lowest_first)
    rows: list[list[Cell]] = [
        [named(group.code, group.name), count(group.tally.decided), *_rate_cells(group, factor)]
            for group in seen[:MOST_GROUPS]]  # fmt: skip
    heads = (
        ("Code", "left", "1fr"), ("Decided", "right", "auto"), ("First pass", "right", "auto"),
        ("95 % interval", "right", "auto"),
    )  # fmt: skip
    more = f" {len(seen) - MOST_GROUPS} more are on the page Sites & devices." if len(seen) > MOST_GROUPS else ""
    note = f"Too few: under {MIN_COUNTED} decided captures or {MIN_PATIENTS} patients; not ranked." + more
    return {kind: table(heads, rows), f"{kind}_note": rich(note if seen else f"No {kind} in this period.")}


def _lowest_first(group: GroupTally) -> tuple[bool, float, str]:
    """Judged ones by rate, the lowest first; then those with too few, by code."""
    rate = group.tally.gradable / group.tally.decided if group.is_judged else 0.0
    return not group.is_judged, rate, group.code


def _rate_cells(group: GroupTally, factor: float) -> tuple[str, str]:
    if not group.is_judged:
        return of(group.tally.gradable, group.tally.decided), "too few to judge"
    rate = proportion_or_none(group.tally.gradable, group.tally.decided, factor)
    return share(rate), interval(rate)


def _notes(study: Named, versions: Versions, factor: float) -> str:
    return (
        f"Study {study.words}. {versions.words} Gradable means grade 1 or better on every slab that the protocol "
        f"requires. Captures of one patient visit resemble each other: {factor:.2f} of them tell as much as one alone; "
        "intervals are Wilson 95 % on that effective number. Reacquisitions, waiting scans and completeness are as of "
        "now; turn-around is of the latest 30 scans. Weeks begin on Monday (UTC) and count by day of acquisition."
    )
