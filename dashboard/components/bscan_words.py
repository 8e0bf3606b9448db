"""What the B-scan lane found, as markup: class probabilities, lesions, quality of the signal."""

from collections.abc import Mapping
from typing import Any

from core.store.scan_view import ScanView
from dashboard.components.markup import Html, join, percent, tag

NORMAL = "normal"
"""The class without a lesion, as every model calls it."""
NOT_SCORED = "Not scored yet."

_QUALITY = {
    "snr_db": ("Signal to noise", "dB", "Retina over the noise of the vitreous; higher is better."),
    "contrast": ("Contrast to noise", "", "Retina minus vitreous, over the noise of both; higher is better."),
}
_QUALITY_NOTE = "They rank scans of one device and one export; no cut-off holds across devices."


def classes_table(view: ScanView) -> Html:
    """Every class with its probability, the likeliest first and in bold."""
    found = _findings(view)
    if found is None:
        return tag("p", NOT_SCORED, class_="muted")
    given = found["likeliest_class"]
    ranked = sorted(found["class"].items(), key=lambda item: -item[1])
    rows = [_class_row(name, share, is_given=name == given) for name, share in ranked]
    head = tag("tr", tag("th", "Class", scope="col"), tag("th", "Probability", scope="col", colspan=2))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="measures"), class_="scroll")


def lesions_table(view: ScanView) -> Html:
    """What is marked, by class; of a scan that is called normal nothing, unless asked for."""
    found = _findings(view)
    if found is None:
        return tag("p", NOT_SCORED, class_="muted")
    unasked = found.get("unasked_lesion")
    note = None
    if unasked is not None:
        note = tag(
            "p",
            f"The segmentation would mark {percent(unasked['area_fraction'], 1)} of the picture all the same. It has "
            "learned from ill scans alone; its mask is in the viewer, switched off.",
            class_="small muted",
        )
    if (why := found.get("lesion_place")) is not None:
        return tag(
            "p",
            f"Where a lesion lies is not computable: {why['not_computable']}. Models do so on scans unlike those they "
            "learned from; no mask is shown.",
        )
    if not found["lesions"]:
        what = "None is marked: the scan is called normal." if _is_normal(found) else "None is marked."
        return join([tag("p", what), note])
    head = tag(
        "tr",
        tag("th", "Lesion", scope="col"),
        tag("th", "Share of the picture", scope="col", class_="num"),
        tag("th", "Regions", scope="col", class_="num"),
    )
    rows = [
        tag(
            "tr",
            tag("th", class_words(lesion["type"]), scope="row"),
            tag("td", percent(lesion["area_fraction"], 1), class_="num"),
            tag("td", str(lesion["n_regions"]), class_="num"),
        )
        for lesion in found["lesions"]
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll")


def quality_table(view: ScanView) -> Html:
    """Signal to noise and contrast, or why there are none."""
    found = _findings(view)
    if found is None:
        return tag("p", NOT_SCORED, class_="muted")
    rows = [_quality_row(*words, found["indices"][name]) for name, words in _QUALITY.items()]
    table = tag("div", tag("table", tag("tbody", *rows), class_="measures"), class_="scroll")
    return join([table, tag("p", _QUALITY_NOTE, class_="small muted")])


def class_words(name: str) -> str:
    """A class as it is written: abbreviations stay, the rest begins with a capital."""
    return name.upper() if len(name) <= len("cnv") else name[:1].upper() + name[1:]


def _class_row(name: str, share: float, *, is_given: bool) -> Html:
    words = class_words(name)
    fill = tag("span", class_="fill is-top" if is_given else "fill", style=f"width:{100 * share:.1f}%")
    bar = tag("div", tag("div", fill, class_="track"), class_="share", aria_hidden="true")
    return tag(
        "tr",
        tag("th", tag("b", words) if is_given else words, scope="row"),
        tag("td", tag("b", percent(share)) if is_given else percent(share), class_="num"),
        tag("td", bar),
    )


def _quality_row(name: str, unit: str, meaning: str, value: float | Mapping[str, str]) -> Html:
    head = tag("th", name, scope="row", title=meaning)
    if isinstance(value, Mapping):
        return tag("tr", head, tag("td", f"not computable: {value['not_computable']}", colspan=2, class_="muted"))
    return tag("tr", head, tag("td", f"{value:.1f}", class_="num"), tag("td", unit))


def _findings(view: ScanView) -> Mapping[str, Any] | None:
    return None if view.assessment is None else view.assessment.findings


def _is_normal(found: Mapping[str, Any]) -> bool:
    return bool(found["likeliest_class"] == NORMAL)
