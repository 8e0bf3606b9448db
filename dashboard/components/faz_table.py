"""FAZ metrics in tables: groups, outliers, sources of the scale; every scan leads to its page. Markup from values."""

from collections.abc import Sequence

from core.measures.words import FAZ, MEASURES
from core.statistics.means import FARTHEST_ROBUST_Z
from core.statistics.resampling import Interval
from core.usecases.compare_faz import FazComparison, FazGroup, FazPoint
from core.values import NotComputable
from core.vocabulary import ScaleSource
from core.wording import with_minus
from dashboard.components.markup import Html, chip, count, page_link, percent, tag

MOST_LISTED = 25
SOURCE_NAMES = {
    ScaleSource.FILE: "in the file",
    ScaleSource.MANIFEST: "in the form or manifest",
    ScaleSource.DEVICE_PROFILE: "from the protocol's device profile",
    ScaleSource.COMMAND_LINE: "from the command line",
    None: "none: pixels only, no metric",
}
GROUP_HEADS = (
    ("Scans", "Gradable or better, zone within the field"), ("Patients", ""),
    ("Median", "Half of the scans lie below"), ("Middle half", "First to third quartile"),
    ("Mean, 95 % interval", "Over patients"),
    ("Outside the norm", "Share outside mean ± 1.96 s.d. of healthy eyes; 5 % is to be expected"),
    ("Outliers", "Beyond the robust limits of all scans together"),
)  # fmt: skip


_OF_METRIC = frozenset({"Median", "Middle half", "Mean, 95 % interval"})
"""Columns that hold values of the metric, in its unit."""


def group_table(found: FazComparison, title: str) -> Html:
    """One row per site or device."""
    heads = [
        tag("th", with_unit(name, found.column) if name in _OF_METRIC else name, scope="col", class_="num",
            title=hint or None)
        for name, hint in GROUP_HEADS
    ]  # fmt: skip
    rows = [_group_row(group, found) for group in found.groups]
    head = tag("thead", tag("tr", tag("th", title, scope="col"), *heads))
    return tag(
        "div", tag("table", head, tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label=f"FAZ by {title.lower()}",
    )  # fmt: skip


def _group_row(group: FazGroup, found: FazComparison) -> Html:
    low, median, high = (number(value, found.column) for value in group.quartiles)
    outside = "–" if found.norm is None else percent(group.share_outside(found.norm))
    cells = (
        count(len(group.points)), count(group.n_patients), median, f"{low} – {high}",
        interval(group.mean, found.column), outside, count(group.n_outliers),
    )  # fmt: skip
    return tag("tr", tag("th", group.name, scope="row"), *(tag("td", cell, class_="num") for cell in cells))


def outlier_list(found: FazComparison) -> Html:
    """Outliers, the farthest first, then zones that the border cuts off; each leads to its scan."""
    outliers = sorted((p for p in found.points if p.is_outlier), key=lambda point: -abs(point.z or 0.0))
    rows = [_outlier_row(point, found.column) for point in outliers[:MOST_LISTED]]
    rows += [
        _scan_row(each.scan_id, f"{each.subject_code} · {each.laterality}", f"{each.site_code} · {each.device_code}",
                  "–", chip("cut off by the border", "warn"))
        for each in found.cut_off[: MOST_LISTED - len(rows)]
    ]  # fmt: skip
    heads = [
        tag("th", with_unit(name, found.column) if name == "Value" else name, scope="col", class_=class_)
        for name, class_ in _OUTLIER_HEADS
    ]
    return tag(
        "div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)), class_="scroll", tabindex="0",
        role="region", aria_label="Outliers",
    )  # fmt: skip


_OUTLIER_HEADS = (("Scan", None), ("Eye", None), ("Where", None), ("Value", "num"), ("What", None))
OUTLIER_RULE = (
    f"An outlier lies more than {FARTHEST_ROBUST_Z} robust standard deviations of the logarithm from the median of all "
    "scans of this slab and field (modified z-score by the median absolute deviation; Iglewicz and Hoaglin 1993). Look "
    "at the outline first: most often it is the segmentation, then the scale, then the eye."
)


def _outlier_row(point: FazPoint, column: str) -> Html:
    reading = point.reading
    where = f"{reading.site_code} · {reading.device_code}"
    words = with_minus(f"{point.z:+.1f} robust s.d.") if point.z is not None else ""
    eye = f"{reading.subject_code} · {reading.laterality}"
    return _scan_row(reading.scan_id, eye, where, number(point.value, column), chip(words, "bad"))


def _scan_row(scan_id: int, eye: str, where: str, value: str, what: Html) -> Html:
    link = page_link(f"Scan {scan_id}", "scan", {"id": scan_id})
    return tag(
        "tr", tag("th", link, scope="row"), tag("td", eye), tag("td", where), tag("td", value, class_="num"),
        tag("td", what),
    )  # fmt: skip


def source_table(found: FazComparison) -> Html:
    """Where the millimetres come from."""
    heads = (
        tag("th", "Scale", scope="col"),
        tag("th", "Scans", scope="col", class_="num"),
        tag("th", "Share", class_="num"),
    )
    known = [source for source in SOURCE_NAMES if found.sources.get(source)]
    rows = [
        tag(
            "tr", tag("th", SOURCE_NAMES[source], scope="row"), tag("td", count(found.sources[source]), class_="num"),
            tag("td", percent(found.sources[source] / found.n_scans), class_="num"),
        )
        for source in known
    ]  # fmt: skip
    return tag(
        "div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)), class_="scroll", tabindex="0",
        role="region", aria_label="Source of the scale",
    )  # fmt: skip


def group_rows(groups: Sequence[FazGroup], found: FazComparison) -> list[dict[str, object]]:
    """One row per site or device, as the download has it."""
    return [
        {
            "group": group.name,
            "scans": len(group.points),
            "patients": group.n_patients,
            "quartile_1": group.quartiles[0],
            "median": group.quartiles[1],
            "quartile_3": group.quartiles[2],
            **_mean_columns(group.mean),
            "outside_norm": group.share_outside(found.norm) if found.norm else None,
            "outliers": group.n_outliers,
        }
        for group in groups
    ]


def _mean_columns(found: Interval | NotComputable) -> dict[str, object]:
    if isinstance(found, NotComputable):
        return {}
    return {"mean": found.value, "mean_low": found.low, "mean_high": found.high}


def with_unit(name: str, column: str) -> str:
    """A column's head with the metric's unit, where it has one: ``Median, mm²``."""
    unit = MEASURES[FAZ][column].unit
    return f"{name}, {unit}" if unit else name


def number(value: float, column: str, *, is_signed: bool = False) -> str:
    """A value with as many decimals as its metric is read with."""
    decimals = MEASURES[FAZ][column].decimals
    text = f"{value:+.{decimals}f}" if is_signed else f"{value:.{decimals}f}"
    # What rounds to nought has no side.
    return f"{0.0:.{decimals}f}" if float(text) == 0.0 else with_minus(text)


def interval(found: Interval | NotComputable, column: str, *, is_signed: bool = False) -> str:
    """A value with its interval, or why there is none."""
    if isinstance(found, NotComputable):
        return found.reason
    value, low, high = (number(each, column, is_signed=is_signed) for each in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"
