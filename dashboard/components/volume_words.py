"""A volume in words: its sectors, borders and facts, and what its comparisons say. Markup from frozen values."""

from collections.abc import Mapping
from typing import Any

from core.charts.fundus import EtdrsMark, Fundus
from core.measures.etdrs import EtdrsSector, EtdrsThickness
from core.measures.thickness import ThicknessAgreement
from core.scoring.lanes.layer_scheme import BOUNDARY_NAMES
from core.store.volume_files import VolumeFiles
from core.usecases.look_at_volume import VolumeLook
from core.values import Measure, Measured, NotComputable
from core.vocabulary import Laterality, ScanPattern
from core.volume import OctVolume
from core.wording import EYE_NAMES
from dashboard.components.markup import Content, Html, join, percent, tag

SECTOR_NAMES = {
    EtdrsSector.CENTRAL: "Central subfield, 1 mm",
    EtdrsSector.INNER_SUPERIOR: "Inner superior",
    EtdrsSector.INNER_NASAL: "Inner nasal",
    EtdrsSector.INNER_INFERIOR: "Inner inferior",
    EtdrsSector.INNER_TEMPORAL: "Inner temporal",
    EtdrsSector.OUTER_SUPERIOR: "Outer superior",
    EtdrsSector.OUTER_NASAL: "Outer nasal",
    EtdrsSector.OUTER_INFERIOR: "Outer inferior",
    EtdrsSector.OUTER_TEMPORAL: "Outer temporal",
}
PATTERN_NAMES = {
    ScanPattern.LINE: "line scan",
    ScanPattern.CIRCLE: "circle scan",
    ScanPattern.RADIAL: "radial scan",
    ScanPattern.VOLUME: "volume scan",
    ScanPattern.UNKNOWN: "not stated",
}
_PLACES = {"superior": "up", "inferior": "down"}


def border_names(n_borders: int) -> tuple[str, ...]:
    """Names of the borders from the innermost outwards: those of the scheme that has as many, else their numbers."""
    by_number = {len(names): names for names in BOUNDARY_NAMES.values()}
    inner = tuple(f"Border {number}" for number in range(2, n_borders))
    return by_number.get(n_borders, ("Innermost", *inner, "Outermost"))


def place_of(sector: EtdrsSector, laterality: Laterality) -> str:
    """Where a sector lies in the picture: nasal is to the right in a right eye, to the left in a left one."""
    ring, _, side = sector.value.partition("_")
    if not side:
        return ring
    nasal, temporal = ("right", "left") if laterality is Laterality.OD else ("left", "right")
    return f"{ring}_{(_PLACES | {'nasal': nasal, 'temporal': temporal})[side]}"


def etdrs_mark(look: VolumeLook, other: VolumeLook | None = None) -> EtdrsMark | None:
    """The grid with each sector's mean in um, or with what it differs from ``other``; None where there is no fovea."""
    if isinstance(look.fovea, NotComputable) or isinstance(look.etdrs, NotComputable):
        return None
    before = None if other is None or isinstance(other.etdrs, NotComputable) else other.etdrs
    labels = {
        place_of(sector, look.files.laterality): _label(measure, before, sector)
        for sector, measure in look.etdrs.sectors.items()
    }
    return EtdrsMark(look.fovea.x_mm, look.fovea.y_mm, labels)


def _label(measure: Measure, before: EtdrsThickness | None, sector: EtdrsSector) -> str:
    if before is None:
        return f"{measure.value:.0f}" if isinstance(measure, Measured) else "–"
    than = before.sectors[sector]
    return f"{measure.value - than.value:+.0f}" if isinstance(measure, Measured) and isinstance(than, Measured) else "–"


def fundus_of(look: VolumeLook) -> Fundus | None:
    """The fundus image behind the maps; None where the file has none, or not how large it is."""
    volume = look.volume
    if volume.slo is None or not volume.slo_mm_per_px:
        return None
    height, width = (side * volume.slo_mm_per_px for side in volume.slo.shape)
    return Fundus(f"/scans/{look.files.scan_id}/slo.png", width, height)


def beside_words(files: VolumeFiles, own: VolumeFiles) -> str:
    """What a volume is beside this one: ``Left eye, same visit`` or ``Visit V1, 12 Mar 2026, 84 days before``."""
    day = f"{files.acquired_at:%d %b %Y}"
    if files.laterality is not own.laterality:
        return f"{EYE_NAMES[files.laterality].capitalize()}, same visit, {day}"
    days = (own.acquired_at.date() - files.acquired_at.date()).days
    return f"Visit {files.visit_code}, {day}, {abs(days)} days {'before' if days >= 0 else 'after'}"


def etdrs_table(look: VolumeLook, other: VolumeLook | None = None, other_words: str = "") -> Html:
    """Every sector with its mean and how much of it was measured; beside it the other volume's and the difference."""
    found = look.etdrs
    if isinstance(found, NotComputable):
        return no_map(look, found)
    than = None if other is None else other.etdrs
    heads = ["Sector", "Thickness, µm", "Measured"] + ([other_words, "Difference, µm"] if other is not None else [])
    rows = [
        tag("tr", tag("th", SECTOR_NAMES[sector], scope="row"), *_cells(found, sector),
            *(_other_cells(measure, than, sector) if than is not None else ()))
        for sector, measure in found.sectors.items()
    ]  # fmt: skip
    rows.append(_volume_row(found, than))
    head = tag(
        "thead",
        tag("tr", *(tag("th", words, scope="col", class_="num" if at else None) for at, words in enumerate(heads))),
    )
    return tag("div", tag("table", head, tag("tbody", *rows), class_="plain"), class_="scroll")


def _cells(found: EtdrsThickness, sector: EtdrsSector) -> list[Html]:
    share = found.sampled_fraction.get(sector)
    return [_number(found.sectors[sector]), tag("td", "" if share is None else f"{100 * share:.0f} %", class_="num")]


def _other_cells(measure: Measure, than: EtdrsThickness | NotComputable, sector: EtdrsSector) -> list[Html]:
    if isinstance(than, NotComputable):
        return [tag("td", f"not computable: {than.reason}", class_="muted", colspan=2)]
    return [_number(than.sectors[sector]), _difference(measure, than.sectors[sector], ".0f")]


def _volume_row(found: EtdrsThickness, than: EtdrsThickness | NotComputable | None) -> Html:
    cells = [_number(found.total_volume_mm3, ".2f"), tag("td", "")]
    if isinstance(than, EtdrsThickness):
        cells += [
            _number(than.total_volume_mm3, ".2f"),
            _difference(found.total_volume_mm3, than.total_volume_mm3, ".2f"),
        ]
    return tag("tr", tag("th", "Total volume, mm³", scope="row"), *cells)


def _number(measure: Measure, form: str = ".0f") -> Html:
    if isinstance(measure, NotComputable):
        return tag("td", f"not computable: {measure.reason}", class_="muted")
    return tag("td", f"{measure.value:{form}}", class_="num")


def _difference(one: Measure, other: Measure, form: str) -> Html:
    if isinstance(one, NotComputable) or isinstance(other, NotComputable):
        return tag("td", "–", class_="num muted")
    return tag("td", f"{one.value - other.value:+{form}}", class_="num")


def no_map(look: VolumeLook, why: NotComputable) -> Html:
    """Why there is neither map nor sector, and what can be said all the same."""
    words = tag("p", tag("b", "No thickness map and no ETDRS sectors: "), f"{why.reason}.", class_="lead")
    mean = look.mean_um
    said = tag("p", f"Mean thickness of its A-scans: {mean.value:.0f} µm.") if isinstance(mean, Measured) else None
    return tag("div", words, said, class_="reason", role="note")


def agreement_words(found: ThicknessAgreement | NotComputable) -> Html:
    """How far ours and the device's own thickness lie apart, and whether both stop at the same border."""
    if isinstance(found, NotComputable):
        return tag("p", f"Not compared: {found.reason}.", class_="muted")
    figures = (
        f"Ours minus the device's: {found.bias_um:+.1f} µm on average, 95 % limits of agreement {found.low_um:+.1f} to "
        f"{found.high_um:+.1f} µm, mean distance {found.mean_absolute_um:.1f} µm, over {found.n_ascans:,} A-scans."
    )
    stop = (
        "Both stop at Bruch's membrane."
        if found.outer_boundary == "BM"
        else f"The device stops at its {found.outer_boundary}, ours at Bruch's membrane: that part of the difference "
        "is no error."
    )
    return tag("div", tag("p", tag("b", figures)), tag("p", stop, class_="small muted"))


def fovea_words(look: VolumeLook) -> Html:
    """Where the fovea lies and who says so."""
    fovea, mark = look.fovea, look.files.fovea
    if isinstance(fovea, NotComputable):
        return tag("p", "Fovea: ", tag("b", "not known"), f", {fovea.reason}.")
    place = f"{fovea.x_mm:.2f} mm right, {fovea.y_mm:.2f} mm down"
    if not fovea.is_manual or mark is None:
        return tag("p", "Fovea: ", tag("b", place), ", the deepest point of the pit.")
    return tag(
        "p", "Fovea: ", tag("b", place), f", marked by {mark.who} on {mark.at:%d %b %Y}: ", tag("q", mark.reason)
    )


def volume_facts(volume: OctVolume, findings: Mapping[str, Any] | None = None) -> Html:
    """How the volume was scanned, as its file states it, and how much of it the lane found usable."""
    rows: list[tuple[str, Content]] = [
        ("B-scans", f"{volume.n_bscans}, {volume.width_px} × {volume.height_px} px"),
        ("Pattern", PATTERN_NAMES[volume.scan_pattern]),
        ("Depth of a pixel", _um(volume.z_um_per_px)),
        ("Width of a pixel", _um(None if volume.x_mm_per_px is None else 1e3 * volume.x_mm_per_px)),
    ]
    if volume.quality_db:
        rows.append(("Device's signal", f"{min(volume.quality_db):.0f} to {max(volume.quality_db):.0f} dB"))
    rows.append(("Device's borders", ", ".join(volume.device_boundaries or {}) or "none in the file"))
    rows += _capture_rows((findings or {}).get("capture", {}))
    return tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in rows), class_="facts")


def _capture_rows(capture: Mapping[str, Any]) -> list[tuple[str, Content]]:
    """What the lane stored of the capture (core.scoring.lanes.volume); nothing of a scan that it has not scored."""
    words = (
        ("usable_bscans_fraction", "B-scans that pass", "of B-scans pass every criterion that a program can read"),
        ("leaving_fraction", "Retina leaves the image", "of A-scans"),
        ("dim_fraction", "Dim", "of A-scans are less than half as bright as the others"),
    )
    return [(name, f"{percent(capture[key])} {what}") for key, name, what in words if key in capture]


def _um(value: float | None) -> str:
    return "not stated" if value is None else f"{value:.2f} µm"


def map_alt(look: VolumeLook) -> str:
    """The thickness map to those who do not see it."""
    eye = EYE_NAMES[look.files.laterality]
    central = look.etdrs.central_subfield_um if isinstance(look.etdrs, EtdrsThickness) else None
    said = f", central subfield {central.value:.0f} µm" if isinstance(central, Measured) else ""
    return f"Map of retinal thickness of the {eye}, scan {look.files.scan_id}{said}"
