"""The fields of a protocol as a form that starts from the version in force. Knows no database."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.policy.compare_protocols import numbered
from core.policy.grading_plan import GradingPlan, SettlingRule
from core.policy.protocol import Borders, Certification, ExpectedScanType, Protocol
from core.policy.reasons import REASON_TEXTS
from core.policy.scan_types import scan_type
from core.vocabulary import Laterality, OperatorFixable, ReasonCode, ScanKind, Slab
from core.wording import FIXABLE_NAMES, KIND_NAMES, SLAB_NAMES, scan_type_words
from dashboard.administration.steps import fresh_key

REGIONS = (None, 1.0, 3.0, 6.0)
"""Diameters of the region of interest in mm; None is the whole field."""
_RULE_WORDS = {
    SettlingRule.UNANIMOUS: "All graders agree (COIPS)",
    SettlingRule.MAJORITY: "More than half agree, nobody two steps away",
}


def draw_protocol_fields(current: Protocol) -> tuple[dict[str, Any], str, bool, bool]:
    """Draw a widget per field; returns the document, the reason, and whether it is to be checked or published."""
    worded = _draw_worded(current)
    with st.form(fresh_key("protocol"), border=False):
        document = current.model_dump(mode="json") | _draw_measures(current)
        document["expected"] = _draw_expected(current)
        document |= _draw_windows(current) | _draw_judging(current)
        document["certification"] = _draw_certification(current.certification)
        document["grading"] = _draw_grading(current.grading)
        document["wording"] = {code.value: _draw_wording(current, code) for code in worded}
        note = st.text_input("What changes and why", placeholder="Shorter visit window after amendment 2")
        with st.container(horizontal=True):
            is_checked = st.form_submit_button("Show what changes", icon=":material/difference:")
            is_published = st.form_submit_button("Publish", type="primary")
    return document, note, is_checked, is_published


def _draw_worded(current: Protocol) -> list[ReasonCode]:
    """Which reasons the study words itself; outside the form, so that their fields appear at once."""
    return st.multiselect(
        "Reasons in the study's own words", list(ReasonCode), list(current.wording), key=fresh_key("protocol.worded"),
        format_func=lambda code: f"{REASON_TEXTS[code].label} ({code.value})",
        help="What a site reads and does for a reason. Those not named here keep octaudit's words.",
        select_all=False,
    )  # fmt: skip


def _draw_measures(current: Protocol) -> dict[str, Any]:
    st.markdown("##### Severity")
    left, right = st.columns(2, gap="large")
    with left:
        artifact = _draw_borders("Artifacts", current.artifact_borders)
    with right:
        centration = _draw_borders("Decentration", current.centration_borders)
    offered = REGIONS if current.region_diameter_mm in REGIONS else (*REGIONS, current.region_diameter_mm)
    region = st.selectbox(
        "Region of interest", offered, index=offered.index(current.region_diameter_mm),
        format_func=lambda mm: f"Central circle of {mm:g} mm" if mm else "Whole field",
    )  # fmt: skip
    return {"artifact_borders": artifact, "centration_borders": centration, "region_diameter_mm": region}


def _draw_borders(title: str, current: Borders) -> dict[str, Any]:
    mild = st.number_input(f"{title}: mild from (% of the region)", 0.0, 100.0, 100 * current.mild_from, 0.5)
    severe = st.number_input(f"{title}: severe above (% of the region)", 0.0, 100.0, 100 * current.severe_above, 0.5)
    source = st.text_input(f"{title}: source", current.source)
    return {"mild_from": round(mild / 100, 6), "severe_above": round(severe / 100, 6), "source": source}


def _draw_expected(current: Protocol) -> list[dict[str, Any]]:
    """The scans that every visit should bring, one line each, and one more."""
    st.markdown("##### Expected scans")
    names = numbered(scan_type_words(scan.scan_type) for scan in current.expected)
    lines = [_draw_scan(scan, name) for scan, name in zip(current.expected, names, strict=True)]
    expected = [line for line in lines if line is not None]
    left, middle, right = st.columns(3)
    kind = left.selectbox(
        "One more scan", [None, *ScanKind], format_func=lambda each: KIND_NAMES[each] if each else "none"
    )
    size = middle.number_input("Its field (mm, square)", 0.5, 30.0, 3.0, 0.5)
    eyes = right.multiselect("Its eyes", list(Laterality), list(Laterality), select_all=False)
    if kind is not None:
        more = ExpectedScanType(scan_type=scan_type(kind, size, size), lateralities=tuple(eyes))
        expected.append(more.model_dump(mode="json"))
    if not current.expected:
        st.caption("None so far: any scan is as good as another, and nothing is expected that was not sent.")
    return expected


def _draw_scan(scan: ExpectedScanType, name: str) -> dict[str, Any] | None:
    """One expected scan; None where it is taken out. ``name`` is no other line's: Streamlit tells widgets by labels."""
    eyes, slabs, visits, out = st.columns((5, 9, 5, 8), vertical_alignment="bottom")
    chosen_eyes = eyes.multiselect(
        f"Eyes of {name}", list(Laterality), list(scan.lateralities), placeholder="as sent", select_all=False
    )
    chosen_slabs = slabs.multiselect(
        f"Required slabs of {name}", list(Slab), list(scan.required_slabs), format_func=SLAB_NAMES.__getitem__,
        placeholder="every slab received", select_all=False,
    )  # fmt: skip
    at = visits.text_input(
        f"Visits with {name}", ", ".join(scan.visits), placeholder="every visit", help="Codes with commas between."
    )
    if out.checkbox(f"Without {name}", help="Take it out of what is expected."):
        return None
    changed = ExpectedScanType(
        scan_type=scan.scan_type, lateralities=tuple(chosen_eyes), required_slabs=tuple(chosen_slabs),
        visits=tuple(_items(at, ",")),
    )  # fmt: skip
    return changed.model_dump(mode="json")


def _draw_windows(current: Protocol) -> dict[str, Any]:
    st.markdown("##### Windows and devices")
    left, right = st.columns(2, gap="large")
    days = left.number_input("Visit window (days)", 0, 3650, current.visit_window_days, help="Empty: always open.")
    own = left.text_area(
        "Visits with another window", "\n".join(f"{each.visit}: {each.days}" for each in current.visit_windows),
        help="One per line: code, colon, days.", placeholder="V12: 42", height=90,
    )  # fmt: skip
    devices = right.text_area(
        "Known devices", "\n".join(current.known_devices), height=170,
        help='One "manufacturer model" per line. Empty: any. Scans of others are marked; naming one also vouches for '
        "it where the model was not calibrated on it.",
    )  # fmt: skip
    windows = [_window(line) for line in _items(own, "\n")]
    return {"visit_window_days": days, "visit_windows": windows, "known_devices": _items(devices, "\n")}


def _window(line: str) -> dict[str, str]:
    visit, _, days = line.rpartition(":")
    return {"visit": visit.strip(), "days": days.strip()}


def _draw_judging(current: Protocol) -> dict[str, Any]:
    st.markdown("##### Judging")
    left, right = st.columns(2, gap="large")
    passed = left.number_input(
        "Accepted although ungradable, at most (% of all scans)",
        0.1, 49.9, 100 * current.conformal_level, 0.5, format="%.1f",
        help="The accept level. The lower, the more scans the model leaves to a person; below 1 / (calibration scans + "
        "1) it cannot promise anything, and the version is refused.",
    )  # fmt: skip
    agreement = right.number_input(
        "Grad-CAM on artifacts, at least (%)",
        0.0, 100.0, None if current.smallest_cam_agreement is None else 100 * current.smallest_cam_agreement, 5.0,
        help="Below this an ungradable scan goes to a person: its evidence lies elsewhere. Empty: not asked.",
    )  # fmt: skip
    inherit = st.checkbox("A deep slab takes the grade of the superficial slab (COIPS)", current.inherit)
    requires_scale = st.checkbox("A scan without a known field size needs a person", current.requires_scale)
    return {
        "conformal_level": round(passed / 100, 6),
        "smallest_cam_agreement": None if agreement is None else round(agreement / 100, 6),
        "inherit": inherit,
        "requires_scale": requires_scale,
    }


def _draw_certification(current: Certification) -> dict[str, Any]:
    st.markdown("##### Certificates")
    left, right = st.columns(2, gap="large")
    with left:
        technicians = st.checkbox("Scans of technicians without a certificate are marked", current.technicians)
        devices = st.checkbox("Scans of devices without a certificate are marked", current.devices)
    n_evidence = right.number_input("Gradable captures to show", 1, 50, current.n_evidence)
    months = right.number_input("Valid for (months)", 1, 120, current.validity_months)
    source = left.text_input("Certificates: source", current.source)
    return {
        "technicians": technicians, "devices": devices, "n_evidence": n_evidence, "validity_months": months,
        "source": source,
    }  # fmt: skip


def _draw_grading(current: GradingPlan) -> dict[str, Any]:
    st.markdown("##### Grading by several")
    left, right = st.columns(2, gap="large")
    rules = list(SettlingRule)
    values: dict[str, Any] = {
        "n_graders": left.number_input("Graders per scan", 2, 3, current.n_graders),
        "rule": left.selectbox(
            "Settled when", rules, rules.index(current.rule), format_func=_RULE_WORDS.__getitem__
        ).value,
        "repeat_after_days": left.number_input("Repeated after (days)", 1, 365, current.repeat_after_days),
        "due_days": left.number_input("Grades due within (days)", 1, 90, current.due_days),
    }
    shares = {
        "graded_share": "Scans graded masked (%)",
        "senior_check_share": "Agreed scans that the adjudicator checks (%)",
        "repeat_share": "Scans that come back to the same grader (%)",
        "accepted_check_share": "Accepted scans that a person checks (%)",
    }
    for name, label in shares.items():
        percent = right.number_input(label, 0.0, 100.0, 100 * getattr(current, name), 1.0)
        values[name] = round(percent / 100, 6)
    values["hides_model"] = st.checkbox(
        "Calibration mode: the model's grade is hidden until the own one is given", current.hides_model
    )
    return values


def _draw_wording(current: Protocol, code: ReasonCode) -> dict[str, str]:
    reason, label = current.reason(code), REASON_TEXTS[code].label
    st.markdown(f"##### {label} ({code.value})")
    text = st.text_area(f"{label}: what is wrong", reason.text, height=70, key=fresh_key(f"protocol.{code}.text"))
    remedy = st.text_area(
        f"{label}: what the site does", reason.remedy, height=90, key=fresh_key(f"protocol.{code}.remedy")
    )
    choices = list(OperatorFixable)
    fixable = st.selectbox(
        f"{label}: can the operator cure it?", choices, choices.index(reason.operator_fixable),
        format_func=FIXABLE_NAMES.__getitem__, key=fresh_key(f"protocol.{code}.fixable"),
    )  # fmt: skip
    return {"text": text, "remedy": remedy, "operator_fixable": fixable.value}


def _items(text: str, separator: str) -> Sequence[str]:
    """What stands between the separators, without blanks and empty ones."""
    return [each.strip() for each in text.split(separator) if each.strip()]
