"""The volume's part of the Scan page: B-scans, thickness over the fundus and in space, and what it compares to."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import streamlit as st

from core.charts.retina_surface import draw_retina_surfaces, draw_thickness_surface
from core.charts.thickness_map import SMALL_PX, colour_range_um, draw_difference_map, draw_thickness_map
from core.charts.thickness_profile import draw_profile, profile_rows
from core.errors import OctauditError
from core.measures.thickness import TOTAL_THICKNESS, device_thickness
from core.store.scan_view import ScanView
from core.store.volume_files import VolumeFiles, read_volume_files, read_volumes_beside
from core.usecases.look_at_volume import VolumeLook, look_at_volume
from core.values import NotComputable
from dashboard.components.chart import draw_chart
from dashboard.components.fovea_form import draw_fovea_form
from dashboard.components.image_indices import draw_indices
from dashboard.components.markup import page_link, tag
from dashboard.components.panel import panel
from dashboard.components.review_box import may_review
from dashboard.components.scan_grade import is_stranger
from dashboard.components.surface_chart import draw_figure
from dashboard.components.viewer.show import show_viewer
from dashboard.components.volume_viewer.show import show_volume
from dashboard.components.volume_words import (
    agreement_words,
    beside_words,
    etdrs_mark,
    etdrs_table,
    fovea_words,
    fundus_of,
    map_alt,
    volume_facts,
)
from dashboard.installation import installation
from dashboard.session import current_user, open_session
from dashboard.volume_shelf import VolumeShelf, shelf_over


class _Show(StrEnum):
    """What of the thickness is shown; the values are the words on the page."""

    MAP = "Map"
    THICKNESS = "Thickness in 3-D"
    BORDERS = "Borders in 3-D"
    DEVICE = "Against the device"
    BESIDE = "Other eye or visit"


def draw(view: ScanView) -> None:
    """The volume, or why there is none to be shown."""
    with open_session() as session:
        files = read_volume_files(session, view.scan_id)
        beside = read_volumes_beside(session, view.scan_id)
    if files is None:
        show_viewer(view, key=f"viewer-{view.acquisition_id}-{view.scan_id}")
        panel(tag("p", "Only this B-scan of the volume is stored.", class_="muted"), key="volume-none")
        return
    _draw_volume(view, files, beside)
    if not (view.is_model_hidden or is_stranger(view)):
        draw_indices(view, note="Of the central B-scan.")


@st.fragment
def _draw_volume(view: ScanView, files: VolumeFiles, beside: tuple[VolumeFiles, ...]) -> None:
    """All of it; another figure or another comparison draws this part of the page anew and nothing else."""
    try:
        look = look_at_volume(files, _shelf())
    except OctauditError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.subheader("B-scans")
    picked = show_volume(look, may_pick=may_review(view, current_user()), agreement=_agreement_of(view))
    st.subheader("Thickness")
    if isinstance(look.surfaces, NotComputable):
        _draw_without_map(look)
    else:
        _draw_map(view, look, beside, picked)
    with st.expander("How it was scanned"):
        panel(
            volume_facts(look.volume, None if view.assessment is None else view.assessment.findings), key="volume-facts"
        )


def _agreement_of(view: ScanView) -> Sequence[float | None]:
    """Q of every B-scan; nothing where it is not to be seen, or the model that scored it has no levels."""
    if view.assessment is None or view.is_model_hidden or is_stranger(view):
        return ()
    listed: Mapping[str, Sequence[float | None]] = (view.assessment.findings or {}).get("bscan_indices") or {}
    return listed.get("q_level_agreement", ())


def _shelf() -> VolumeShelf:
    return shelf_over(installation().blobs)


def _draw_without_map(look: VolumeLook) -> None:
    """A line, a circle or a single B-scan: its thickness along it, beside the device's own."""
    panel(etdrs_table(look), key="etdrs")
    ours, device = look.thickness_um, device_thickness(look.volume)
    if isinstance(ours, NotComputable):
        return
    index, n = look.volume.central_index, look.volume.n_bscans
    rows = profile_rows(look.volume, index, ours, None if isinstance(device, NotComputable) else device.thickness_um)
    if rows:
        chart = draw_profile(rows, has_scale=look.volume.x_mm_per_px is not None)
        draw_chart(chart, alt=f"Thickness along B-scan {index + 1} of {n}, scan {look.files.scan_id}")
    panel(agreement_words(look.agreement), key="agreement")
    st.caption(f"Total thickness. {TOTAL_THICKNESS}")


def _draw_map(
    view: ScanView, look: VolumeLook, beside: tuple[VolumeFiles, ...], picked: tuple[float, float] | None
) -> None:
    offered = [each for each in _Show if beside or each is not _Show.BESIDE]
    shown = st.segmented_control(
        "What is shown", offered, default=_Show.MAP, key=f"volume.show.{look.files.scan_id}",
        label_visibility="collapsed", required=True,
    )  # fmt: skip
    other = _choose_other(look, beside) if shown is _Show.BESIDE else None
    _draw_figure(look, shown or _Show.MAP, other)
    panel(fovea_words(look), key="fovea")
    if may_review(view, current_user()):
        draw_fovea_form(look, picked, source=_shelf())
    words = "" if other is None else beside_words(other.files, look.files)
    panel(etdrs_table(look, other, words), key="etdrs")
    st.caption(
        f"Total thickness. {TOTAL_THICKNESS} A sector counts where at least 95 % of it was measured; total volume is "
        "thickness over the circle of 6 mm."
    )


def _draw_figure(look: VolumeLook, shown: _Show, other: VolumeLook | None) -> None:
    assert not isinstance(look.surfaces, NotComputable)
    thickness, key = look.surfaces.thickness, f"volume-{shown.name.lower()}-{look.files.scan_id}"
    match shown:
        case _Show.MAP:
            figure = draw_thickness_map(thickness, fundus=fundus_of(look), etdrs=etdrs_mark(look))
            draw_figure(figure, alt=map_alt(look), key=key)
        case _Show.THICKNESS:
            draw_figure(draw_thickness_surface(thickness), alt=f"{map_alt(look)}, as a surface", key=key)
            st.caption("Drag to turn, wheel to zoom. Thickness is drawn as height.")
        case _Show.BORDERS:
            alt = f"Start and end of the retina as surfaces, scan {look.files.scan_id}"
            draw_figure(draw_retina_surfaces(look.surfaces), alt=alt, key=key)
            st.caption("Drag to turn, wheel to zoom. Depth below the B-scans' first row, drawn larger than it is.")
        case _Show.DEVICE:
            _draw_device(look, key)
        case _Show.BESIDE:
            if other is not None:
                _draw_beside(look, other, key)


def _draw_device(look: VolumeLook, key: str) -> None:
    difference = look.device_difference
    if not isinstance(difference, NotComputable):
        alt = f"Thickness minus the device's own, scan {look.files.scan_id}"
        draw_figure(draw_difference_map(difference, fundus=fundus_of(look)), alt=alt, key=key)
    panel(agreement_words(look.agreement), key="agreement")


def _choose_other(look: VolumeLook, beside: tuple[VolumeFiles, ...]) -> VolumeLook | None:
    chosen = st.selectbox(
        "Compare with", beside, format_func=lambda files: beside_words(files, look.files),
        key=f"volume.beside.{look.files.scan_id}",
    )  # fmt: skip
    return look_at_volume(chosen, _shelf())


def _draw_beside(look: VolumeLook, other: VolumeLook, key: str) -> None:
    """Both maps in the same colours, then the difference at the fovea."""
    assert not isinstance(look.surfaces, NotComputable)
    if isinstance(other.surfaces, NotComputable):
        panel(tag("p", f"Not compared: {other.surfaces.reason}.", class_="muted"), key="not-beside")
        return
    span = colour_range_um(look.surfaces.thickness, other.surfaces.thickness)
    for column, each, words in zip(
        st.columns(2), (look, other), ("This scan", beside_words(other.files, look.files)), strict=True
    ):
        assert not isinstance(each.surfaces, NotComputable)
        figure = draw_thickness_map(
            each.surfaces.thickness, fundus=fundus_of(each), etdrs=etdrs_mark(each), range_um=span, height_px=SMALL_PX
        )
        with column:
            st.caption(words)
            draw_figure(figure, alt=map_alt(each), key=f"{key}-{each.files.scan_id}")
    panel(page_link("Open the other scan", "scan", {"id": other.files.scan_id}), key="open-beside")
    difference = look.difference_from(other)
    if isinstance(difference, NotComputable):
        panel(tag("p", f"No difference map: {difference.reason}.", class_="muted"), key="not-beside")
        return
    is_fellow = look.files.laterality is not other.files.laterality
    turned = " The other eye is turned over, so that nasal meets nasal." if is_fellow else ""
    st.caption(f"This scan minus the other, laid on each other at the fovea.{turned} A turned head shows, too.")
    alt = f"Difference of scan {look.files.scan_id} from scan {other.files.scan_id}"
    draw_figure(
        draw_difference_map(difference, fundus=fundus_of(look), etdrs=etdrs_mark(look, other)), alt=alt, key=key
    )
