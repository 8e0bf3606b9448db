"""The protocol on the Admin page: the version in force, what each version changed, and a form for the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from pydantic import ValidationError
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.policy.protocol import Borders, ExpectedScanType, Protocol
from core.scoring.card import calibration_in
from core.store.access import Actor
from core.store.administration import ProtocolRow, StudyRow
from core.store.model_version import ScoringModel
from core.usecases.administer_study import publish_protocol
from core.vocabulary import Slab
from core.wording import SLAB_NAMES, scan_type_words
from dashboard.administration.places import draw_list
from dashboard.administration.steps import adding, perform
from dashboard.components.guarantee import accept_guarantee
from dashboard.components.markup import percent
from dashboard.components.panel import empty_state, panel

REGIONS = (None, 1.0, 3.0, 6.0)
"""Diameters of the region of interest in mm; None is the whole field."""


_FIELD_WORDS = {
    "expected": "required slabs",
    "known_devices": "certified devices",
    "conformal_level": "accept level",
    "smallest_cam_agreement": "Grad-CAM on artifacts",
    "requires_scale": "known field size",
    "inherit": "superficial slab decides",
    "region_diameter_mm": "region of interest",
}
"""Where the field's own name says too little."""


@dataclass(frozen=True, slots=True)
class _VersionLine:
    version: str
    since: str
    note: str
    changed: str


def draw_protocol(study: StudyRow, versions: Sequence[ProtocolRow], model: ScoringModel | None) -> None:
    """The versions of a study's protocol, newest first, what the level promises, and the form for the next."""
    columns = {"version": "Version", "since": "In force from (UTC)", "note": "Note", "changed": "Changed"}
    lines = [_version_line(version, versions) for version in versions]
    draw_list(lines, columns, key="protocol", nothing=("No protocol", "Publish the first version below."))
    current = Protocol.model_validate(versions[0].document) if versions else Protocol.default()
    _draw_guarantee(current, model)
    with adding("Publish a new version", "protocol"):
        st.caption("It applies to scans acquired from now on; scans already judged keep their version.")
        document = _draw_fields(current)
        note = st.text_input("What changes and why", placeholder="Shorter visit window after amendment 2")
        if st.form_submit_button("Publish", type="primary"):
            perform(lambda session, actor: _publish(session, actor, study, document, note))


def _draw_guarantee(protocol: Protocol, model: ScoringModel | None) -> None:
    """What the level in force promises with the model that scored last."""
    st.subheader("What the accept level promises")
    if model is None:
        empty_state("No scan was scored yet", "The promise depends on the model; it appears with the first score.",
                    key="no-model")  # fmt: skip
        return
    promise = accept_guarantee(
        calibration_in(model.card),
        protocol.conformal_level,
        model=f"{model.name} {model.version}, which scored last",
        is_inherit=protocol.inherit,
    )
    panel(promise, key="guarantee")


def _version_line(version: ProtocolRow, versions: Sequence[ProtocolRow]) -> _VersionLine:
    before = next((each.document for each in versions if each.number == version.number - 1), None)
    changed = "everything" if before is None else ", ".join(changed_fields(before, version.document)) or "nothing"
    return _VersionLine(str(version.number), f"{version.effective_at:%Y-%m-%d %H:%M}", version.note, changed)


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of the protocol's fields that differ between two documents, in words."""
    return [_words(name) for name in Protocol.model_fields if before.get(name) != after.get(name)]


def _words(name: str) -> str:
    return _FIELD_WORDS.get(name, name.replace("_", " "))


def _draw_fields(current: Protocol) -> dict[str, Any]:
    """Draw a widget per field and return the document they hold."""
    left, right = st.columns(2, gap="large")
    with left:
        artifact = _draw_borders("Artifacts", current.artifact_borders)
        window = st.number_input("Visit window (days)", 0, 3650, current.visit_window_days, help="Empty: always open.")
        slabs = _draw_expected(current)
    with right:
        centration = _draw_borders("Decentration", current.centration_borders)
        region = st.selectbox(
            "Region of interest", _with_current(REGIONS, current.region_diameter_mm),
            index=_with_current(REGIONS, current.region_diameter_mm).index(current.region_diameter_mm),
            format_func=lambda mm: f"Central circle of {mm:g} mm" if mm else "Whole field",
        )  # fmt: skip
        devices = st.text_area(
            "Certified devices", "\n".join(current.known_devices), help='One "manufacturer model" per line. Empty: any.'
        )
    passed = st.number_input(
        "Accepted although ungradable, at most (% of all scans)",
        0.1, 49.9, 100 * current.conformal_level, 0.5, format="%.1f",
        help="The lower, the more scans the model leaves to a person. Scans already judged keep their verdict.",
    )  # fmt: skip
    agreement = st.number_input(
        "Grad-CAM on artifacts, at least (%)",
        0.0, 100.0, None if current.smallest_cam_agreement is None else 100 * current.smallest_cam_agreement, 5.0,
        help="Below this an ungradable scan goes to a person: its evidence lies elsewhere. Empty: not asked.",
    )  # fmt: skip
    inherit = st.checkbox("A deep slab takes the grade of the superficial slab (COIPS)", current.inherit)
    requires_scale = st.checkbox("A scan without a known field size needs a person", current.requires_scale)
    return current.model_dump(mode="json") | {
        "artifact_borders": artifact,
        "centration_borders": centration,
        "visit_window_days": window,
        "region_diameter_mm": region,
        "known_devices": [line.strip() for line in devices.splitlines() if line.strip()],
        "conformal_level": round(passed / 100, 6),
        "smallest_cam_agreement": None if agreement is None else round(agreement / 100, 6),
        "inherit": inherit,
        "requires_scale": requires_scale,
        "expected": slabs,
    }


def _draw_borders(title: str, current: Borders) -> dict[str, Any]:
    st.markdown(f"**{title}**")
    mild = st.number_input(f"{title}: mild from (% of the region)", 0.0, 100.0, 100 * current.mild_from, 0.5)
    severe = st.number_input(f"{title}: severe above (% of the region)", 0.0, 100.0, 100 * current.severe_above, 0.5)
    source = st.text_input(f"{title}: source", current.source)
    return {"mild_from": round(mild / 100, 6), "severe_above": round(severe / 100, 6), "source": source}


def _draw_expected(current: Protocol) -> list[dict[str, Any]]:
    """The required slabs of each expected scan type; the types themselves come with the study."""
    expected = []
    for scan in current.expected:
        slabs = st.multiselect(
            f"Required slabs of {scan_type_words(scan.scan_type)}",
            list(Slab),
            list(scan.required_slabs),
            format_func=SLAB_NAMES.__getitem__,
        )
        changed = ExpectedScanType(
            scan_type=scan.scan_type, lateralities=scan.lateralities, required_slabs=tuple(slabs)
        )
        expected.append(changed.model_dump(mode="json"))
    return expected


def _with_current(offered: tuple[float | None, ...], current: float | None) -> tuple[float | None, ...]:
    return offered if current in offered else (*offered, current)


def _publish(session: Session, actor: Actor, study: StudyRow, document: dict[str, Any], note: str) -> str:
    publish_protocol(session, actor=actor, study_id=study.id, protocol=parse_protocol(document), note=note)
    return "The new protocol version is in force. Trends show a mark."


def parse_protocol(document: dict[str, Any]) -> Protocol:
    """The protocol that a form holds.

    Raises
    ------
    UsageError
        Values that contradict each other or lie outside their range; every one is named.
    """
    for name in ("artifact_borders", "centration_borders"):
        borders = document[name]
        if borders["mild_from"] >= borders["severe_above"]:
            mild, severe = percent(borders["mild_from"], 1), percent(borders["severe_above"], 1)
            raise UsageError(
                f"Mild begins at {mild}, severe above {severe}.",
                remedy="Severe must begin later than mild.",
            )
    try:
        return Protocol.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{', '.join(_words(str(at)) for at in fault['loc'])}: {fault['msg']}" for fault in error.errors()
        )
        raise UsageError(f"The protocol is not right: {faults}.", remedy="Correct these values.") from error
