"""What FAZ metrics say, in sentences, captions and cards. Markup from frozen values."""

from core.charts.faz import PAIR_NAMES
from core.measures.faz_norms import DIMENSIONS, STANDARD_EYE_MM
from core.measures.words import FAZ, MEASURES
from core.statistics.means import PairedDifferences
from core.statistics.resampling import Interval
from core.usecases.compare_faz import FazComparison, FazPairs, Magnification
from core.values import NotComputable
from dashboard.components.faz_table import interval, number
from dashboard.components.markup import Html, count, join, tag

VALUES_CAPTION = (
    "**Distribution.** Each mark is one scan, the bar the middle half of its group, the tick the median; diamonds are "
    "outliers. One slab and one field at a time: each shows another zone. Click a mark for its scan. "
)
GRADES_CAPTION = (
    "**By grade.** Mean with its 95 % interval over patients, and one standard deviation of scans. Metrics of "
    "ungradable scans are withheld everywhere else; here they show what a poor scan would do to the result. Patients "
    "are not the same in each row: a difference may be theirs."
)
NOTHING = "No FAZ metrics in this selection"
WHAT_NEXT = (
    "Metrics need a scale in millimetres, a zone within the field and a gradable scan. Choose another slab or field, a "
    "longer period, or clear the filters."
)


def faz_words(found: FazComparison, magnification: Magnification) -> Html:
    """How many scans, how they lie against the norm, how many outliers; then what was left out, and why."""
    n = len(found.points)
    patients = len({point.reading.subject_id for point in found.points})
    outliers = sum(point.is_outlier for point in found.points)
    called = "outlier" if outliers == 1 else "outliers"
    lead = f"{count(n)} scans of {count(patients)} patients, {outliers} {called}."
    if found.why_no_outliers:
        lead = f"{count(n)} scans of {count(patients)} patients. Outliers cannot be told: {found.why_no_outliers}."
    left = [f"{count(found.n_ungradable)} ungradable (they appear under grade alone)"] if found.n_ungradable else []
    left += [f"{count(len(found.cut_off))} whose zone is cut off by the border"] if found.cut_off else []
    left += [f"{count(n_each)} with {reason}" for reason, n_each in sorted(found.missing.items())]
    out = tag("p", f"Left out: {', '.join(left)}.", class_="muted") if left else None
    return tag("div", tag("p", tag("b", lead), " ", _scale(found, magnification), class_="verdict"), out, role="status")


def _scale(found: FazComparison, magnification: Magnification) -> str:
    if found.column not in DIMENSIONS:
        return "A ratio: it does not depend on axial length."
    if magnification is Magnification.CORRECTED:
        return f"At each eye's own axial length, for devices that assume one of {STANDARD_EYE_MM} mm."
    given = f"an axial length is given for {count(found.n_with_axial_length)} of {count(found.n_scans)} scans"
    return f"Nominal, not corrected for axial length: the area may be wrong by up to 31 %; {given}."


def norm_words(found: FazComparison) -> str:
    """Where the shaded range comes from, or why there is none."""
    if found.norm is None:
        return "No published norm of this metric, slab and field is in the catalogue: none is shown."
    norm, words = found.norm, MEASURES[FAZ][found.column]
    return (
        f"Shaded: {norm.mean} ± 1.96 × {norm.deviation} {words.unit}, {norm.population}, {norm.method} "
        f"({norm.source}). Patients of a study need not be like them."
    )


def pairs_caption(found: FazComparison) -> str:
    """How to read the differences, and which of them repeats alone would bring."""
    lead = "**Differences.** Each mark is one pair of scans; to the right the second is larger. "
    if found.repeatability is None:
        return lead + "No published repeatability of this metric is in the catalogue; the own one is given above."
    known, unit = found.repeatability, MEASURES[FAZ][found.column].unit
    manual, automatic = (number(value, found.column) for value in (known.manual, known.automatic))
    return lead + (
        f"Two repeats outlined by hand differ in 19 of 20 eyes by less than the dashed lines ({manual} {unit}), "
        f"two measured automatically by less than the solid ones ({automatic} {unit}; {known.source}): call "
        "nothing a change that is smaller. Eyes of one person differ by nature, and between visits an eye may change: "
        "only repeats at one visit are repeatability in the strict sense."
    )


def pair_cards(found: FazComparison) -> Html:
    """One card per kind of pair: the own repeatability, the bias, and how many exceed the published repeatability."""
    return tag("div", *(_card(pairs, found) for pairs in found.pairs), class_="rates")


def _card(pairs: FazPairs, found: FazComparison) -> Html:
    title = tag("h3", PAIR_NAMES[pairs.kind])
    if isinstance(pairs.found, NotComputable):
        return tag("section", title, tag("p", f"No pair: {pairs.found.reason}.", class_="muted"), class_="rate")
    figure = tag("div", tag("strong", _repeatability(pairs.found, found.column)), class_="figure")
    facts = [
        f"95 % of pairs differ by less, {_bounds(pairs.found.repeatability, found.column)}",
        f"Mean difference {interval(pairs.found.bias, found.column, is_signed=True)}",
        f"{count(pairs.found.n_pairs)} pairs of {count(pairs.found.n_patients)} patients",
    ]
    if found.repeatability is not None:
        manual, automatic = found.repeatability.manual, found.repeatability.automatic
        facts.append(
            f"{count(pairs.n_beyond(manual))} differ by more than repeats outlined by hand do "
            f"({number(manual, found.column)}), {count(pairs.n_beyond(automatic))} by more than repeats measured "
            f"automatically ({number(automatic, found.column)})"
        )
    return tag("section", title, figure, tag("p", f"{'. '.join(facts)}.", class_="what"), class_="rate")


def _repeatability(found: PairedDifferences, column: str) -> str:
    if isinstance(found.repeatability, NotComputable):
        return "too few"
    unit = MEASURES[FAZ][column].unit
    return f"± {number(found.repeatability.value, column)} {unit}".strip()


def _bounds(found: Interval | NotComputable, column: str) -> str:
    if isinstance(found, NotComputable):
        return found.reason
    return f"95 % interval {number(found.low, column)} – {number(found.high, column)}"


def effect_words(found: FazComparison) -> Html:
    """What the grade does to the metric, in two sentences with intervals."""
    effect, unit = found.effect, MEASURES[FAZ][found.column].unit
    rows = (("Ungradable", "gradable or better", effect.ungradable), ("Gradable (1)", "outstanding (2)", effect.middle))
    return tag("ul", *(_effect_line(*row, found.column, unit) for row in rows), class_="signals")


def _effect_line(first: str, second: str, found: Interval | NotComputable, column: str, unit: str) -> Html:
    if isinstance(found, NotComputable):
        return tag("li", f"{first} against {second}: cannot be told, {found.reason}.")
    is_clear = not found.low <= 0.0 <= found.high
    verdict = "more than chance explains" if is_clear else "within what chance explains"
    figure = f"{interval(found, column, is_signed=True)} {unit}".strip()
    return tag("li", join([tag("b", f"{first} minus {second}: "), figure, f", {verdict}."]))
