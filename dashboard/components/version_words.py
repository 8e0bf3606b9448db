"""Champion against challenger in sentences and tables; every scan leads to its page. Markup from frozen values."""

from core.statistics.agreement_intervals import Agreement
from core.statistics.resampling import Interval
from core.store.version_pair import Said
from core.usecases.compare_versions import VersionComparison, Versions
from core.vocabulary import GradeScale, Verdict
from core.wording import SCALE_GRADE_NAMES, SLAB_NAMES, VERDICT_NAMES
from dashboard.components.markup import Content, Html, count, join, page_link, percent, tag

MOST_LISTED = 25
VERDICTS_CAPTION = (
    "**Verdicts.** Rows are what counts now, columns what the other version said; beside the diagonal a verdict would "
    "change. Figures are scans."
)


def standing_words(found: Versions) -> Html:
    """Which version counts for how many of the latest scans: whether all were scored again."""
    total = sum(n for _, n in found.counting)
    parts = [f"{name} for {count(n)}" for name, n in found.counting]
    if len(parts) == 1:
        lead, rest = f"One version counts for all {count(total)} scans: {found.counting[0][0]}.", ""
    else:
        newest = found.counting[0][0]
        lead = f"{len(parts)} versions count: {', '.join(parts)} of {count(total)} scans."
        rest = f" Grades of scans that {newest} has not scored are another model's: compare over time with care."
    return tag("p", tag("b", lead), rest, class_="verdict", role="status")


def version_card(found: VersionComparison) -> Html:
    """How two versions agree and how many verdicts would change."""
    title = tag("h3", f"{found.champion} counts, {found.challenger} compared")
    changed = found.changed
    share = "–" if changed is None else percent(changed.value, 1)
    span = "" if changed is None else f"95 % interval {percent(changed.low, 1)} – {percent(changed.high, 1)}"
    figure = tag(
        "div", tag("strong", share), tag("span", f"of verdicts would change. {span}", class_="muted"), class_="figure"
    )
    facts = [f"{count(found.n_scans)} scans scored by both", _agreement(found)]
    if found.is_of_likeliest:
        facts.append("Of each, one of them or both abstained: what is compared are the likeliest grades")
    elif found.n_silent:
        facts.append(f"{count(found.n_silent)} of which either abstained are left out of the agreement")
    return tag("section", title, figure, tag("p", f"{'. '.join(facts)}.", class_="what"), class_="rate")


def _agreement(found: VersionComparison) -> str:
    if not isinstance(found.grades, Agreement):
        return f"Agreement of the grades cannot be told: {found.grades.reason}"
    kappa = found.grades.kappa
    words = (
        f"κ {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f})" if isinstance(kappa, Interval) else kappa.reason
    )
    return f"Grades equal in {percent(found.grades.percent.value)}, {words}"


def verdict_table(found: VersionComparison) -> Html:
    """Verdict by verdict."""
    head = tag(
        "tr", tag("th", "Counts now", scope="col"), *(tag("th", VERDICT_NAMES[v], class_="num") for v in Verdict)
    )
    rows = []
    for own in Verdict:
        numbers = [(found.verdicts.get((own, other), 0), own is other) for other in Verdict]
        cells = [tag("td", _cell(n, is_same=is_same), class_="num") for n, is_same in numbers]
        rows.append(tag("tr", tag("th", VERDICT_NAMES[own], scope="row"), *cells))
    return tag(
        "div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label="Verdicts of both versions",
    )  # fmt: skip


def _cell(n: int, *, is_same: bool) -> Content:
    return count(n) if is_same or not n else tag("b", count(n))


def change_list(found: VersionComparison) -> Html:
    """Scans whose verdict would change."""
    heads = [tag("th", name, scope="col") for name in ("Scan", "Where", "Slab", "Counts now", "Would be")]
    rows = [
        tag(
            "tr", tag("th", page_link(f"Scan {each.scan_id}", "scan", {"id": each.scan_id}), scope="row"),
            tag("td", f"{each.site_code} · {each.device_code}"), tag("td", SLAB_NAMES[each.slab]),
            tag("td", _said(each.champion, each.scale)),
            tag("td", _said(each.challenger, each.scale)),
        )
        for each in found.changes[:MOST_LISTED]
    ]  # fmt: skip
    return tag(
        "div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)), class_="scroll", tabindex="0",
        role="region", aria_label="Verdicts that would change",
    )  # fmt: skip


def _said(said: Said, scale: GradeScale) -> Html:
    grade = "abstained" if said.ordinal is None else SCALE_GRADE_NAMES[scale][said.ordinal]
    return join([VERDICT_NAMES[said.verdict], tag("span", grade, class_="name")])


def change_rows(found: VersionComparison) -> list[dict[str, object]]:
    """One row per scan whose verdict would change, as the download has it."""
    return [
        {
            "scan": each.scan_id,
            "site": each.site_code,
            "device": each.device_code,
            "slab": each.slab.value,
            "champion": found.champion,
            "champion_grade": each.champion.ordinal,
            "champion_verdict": each.champion.verdict.value,
            "challenger": found.challenger,
            "challenger_grade": each.challenger.ordinal,
            "challenger_verdict": each.challenger.verdict.value,
        }
        for each in found.changes
    ]
