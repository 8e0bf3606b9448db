"""What the ONH lane found, as markup: the nerve head's measures and the grade's groupings."""

from collections.abc import Mapping
from typing import Any

from core.store.scan_view import ScanView
from dashboard.components.markup import Html, join, percent, tag

NOT_SCORED = "Not scored yet."

_GROUPING_NOTE = (
    "Probabilities of neighbouring grades added up: 012 | 3 asks whether there is any quality concern, 0 | 123 whether "
    "the scan can be used at all."
)


def nerve_head_table(view: ScanView) -> Html:
    """Area and offset of the nerve head, or why there are none."""
    found = _findings(view)
    if found is None:
        return tag("p", NOT_SCORED, class_="muted")
    disc: Mapping[str, Any] = found["onh"]
    if "not_computable" in disc:
        return tag("p", f"Not computable: {disc['not_computable']}.", class_="muted")
    rows = [
        _row("Area", disc["area_mm2"], "mm²", 2),
        _row("Offset from the centre", disc["offset_mm"], "mm", 2),
        _row("Offset, share of the field", 100 * disc["offset_fraction"], "%", 1),
    ]
    table = tag("div", tag("table", tag("tbody", *rows), class_="measures"), class_="scroll")
    cut = "It touches the image's border: its area is a lower bound." if disc["touches_border"] else None
    return join([table, tag("p", cut, class_="small muted") if cut else None])


def groupings_table(view: ScanView) -> Html:
    """One line per contiguous grouping of the four grades: each class with its probability, the likeliest in bold."""
    found = _findings(view)
    if found is None:
        return tag("p", NOT_SCORED, class_="muted")
    head = tag("tr", tag("th", "Grades together", scope="col"), tag("th", "Probabilities", scope="col"))
    rows = [
        tag("tr", tag("th", name.replace("|", " | "), scope="row"), tag("td", _classes(name, found["groupings"][name])))
        for name in sorted(found["groupings"], key=lambda name: (name.count("|"), name))
    ]
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll")
    return join([table, tag("p", _GROUPING_NOTE, class_="small muted")])


def _classes(grouping: str, classes: Mapping[str, float]) -> Html:
    """Worst grades first: the database keeps no order of keys."""
    top = max(classes, key=lambda name: classes[name])
    names = grouping.split("|")
    parts = (tag("b" if name == top else "span", f"{name}: {percent(classes[name])}") for name in names)
    return join(parts, " · ")


def _findings(view: ScanView) -> Mapping[str, Any] | None:
    return None if view.assessment is None else view.assessment.findings


def _row(name: str, value: float | Mapping[str, str], unit: str, decimals: int) -> Html:
    head = tag("th", name, scope="row")
    if isinstance(value, Mapping):
        return tag("tr", head, tag("td", f"not computable: {value['not_computable']}", colspan=2, class_="muted"))
    return tag("tr", head, tag("td", f"{value:.{decimals}f}", class_="num"), tag("td", unit))
