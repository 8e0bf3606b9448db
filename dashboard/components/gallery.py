"""The example gallery: per scan image | marks | Grad-CAM with grade, probability and artifacts. Markup only."""

from collections.abc import Sequence

from core.policy.scan_types import kind_of
from core.store.example import Example
from core.vocabulary import ScanKind, Slab
from core.wording import ARTIFACT_NAMES, EYE_NAMES, SLAB_NAMES, grade_name, scan_words
from dashboard.components.markup import Html, chip, join, page_link, percent, tag
from dashboard.overlay import ARTIFACT_COLOURS, LANE_MASKS, LAYERS_PICTURE, MASKS_SHOWN

TONES = {0: "bad", 1: "good", 2: "good", 3: "good"}
TILE_PX = 320
LAYERS = "Retinal layers of the central B-scan"
_NO_CAM = {ScanKind.VOLUME: "none: it finds layers"}
"""Lanes whose network decides on no grade, so that there is nothing to explain by a heat map."""
LEAST_SHARE = 0.01
"""Severity none begins below (contracts: severities)."""


def gallery(items: Sequence[Example]) -> Html:
    """One card per scan; its title leads to the scan."""
    return tag("div", *(_card(item) for item in items), class_="gallery")


def _card(item: Example) -> Html:
    what = _what(item)
    layers = [*(["findings"] if _marks(item) else []), *(["artifacts"] if item.artifacts else [])]
    marked = [LANE_MASKS[name][0] for name in _marks(item)] + [ARTIFACT_NAMES[type_] for type_, _ in item.artifacts]
    if LAYERS_PICTURE in item.pictures:
        layers, marked = ["layers", *layers], [LAYERS, *marked]
    names = ", ".join(marked).lower()
    figures = (
        _figure(item, "Image", f"{what}: image"),
        _figure(item, "Marked", f"{what}: {names} marked", *layers)
        if layers
        else _absent(item, "Marked", "nothing marked"),
        _figure(item, "Grad-CAM", f"{what}: Grad-CAM", "cam")
        if item.has_cam
        else _absent(item, "Grad-CAM", _NO_CAM.get(kind_of(item.scan_type), "no supporting evidence")),
    )
    return tag("article", tag("div", *figures, class_="triptych"), _body(item), class_="card")


def _what(item: Example) -> str:
    """What the image shows, for who cannot see it; only OCTA scans have slabs."""
    slab = "" if item.slab is Slab.UNKNOWN else f"{SLAB_NAMES[item.slab]} slab, "
    return f"{slab}{EYE_NAMES[item.laterality]}"


def _marks(item: Example) -> list[str]:
    """What the lane marked beside artifacts, by the picture's file name."""
    return [name for name in MASKS_SHOWN if name in item.pictures]


def _figure(item: Example, caption: str, alt: str, *layers: str) -> Html:
    folder = f"/scans/{item.scan_id}"
    base = tag("img", src=f"{folder}/tile.png?size={TILE_PX}", alt=alt, loading="lazy")
    over = (tag("img", src=f"{folder}/tile/{layer}.png?size={TILE_PX}", alt="", loading="lazy") for layer in layers)
    return tag("figure", base, *over, tag("figcaption", caption))


def _absent(item: Example, caption: str, words: str) -> Html:
    base = tag("img", src=f"/scans/{item.scan_id}/tile.png?size={TILE_PX}", alt="", loading="lazy", class_="dim")
    return tag("figure", base, tag("div", words, class_="none"), tag("figcaption", caption))


def _grade_chip(item: Example) -> Html:
    """The grade that counts; none where the model abstained and no person has decided."""
    if item.is_abstained and not item.is_human_grade:
        return chip("Model abstained", "warn")
    name = grade_name(item.ordinal, kind_of(item.scan_type))
    return chip(f"{name}{', by a person' if item.is_human_grade else ''}", TONES[item.ordinal])


def _share(fraction: float) -> str:
    """Whole per cent; what is marked at all is never "0 %"."""
    return percent(fraction) if fraction >= LEAST_SHARE else f"under {percent(LEAST_SHARE)}"


def _body(item: Example) -> Html:
    title = page_link(f"{item.site_code} · {item.device_code} · {item.laterality}", "scan", {"id": item.scan_id})
    what = scan_words(item.scan_type, item.slab)
    model = f"Model: {item.label} {percent(item.probability)}"
    marks = [
        join([_swatch(ARTIFACT_COLOURS[type_]), f"{ARTIFACT_NAMES[type_]} {_share(fraction)}"])
        for type_, fraction in item.artifacts
    ]
    marks += [join([_swatch(LANE_MASKS[name][1]), LANE_MASKS[name][0]]) for name in _marks(item)]
    marks += [join([LAYERS])] if LAYERS_PICTURE in item.pictures else []
    return tag(
        "div",
        tag("div", title, _grade_chip(item), class_="head"),
        tag(
            "p",
            f"{what} · {item.acquired_at:%d %b %Y} · {model}",
            class_="small muted",
        ),
        tag("div", *(tag("span", mark) for mark in marks), class_="marks") if marks else None,
        class_="body",
    )


def _swatch(colour: str) -> Html:
    return tag("i", class_="swatch", style=f"background:{colour}")
