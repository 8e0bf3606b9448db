"""Deviations from the protocol: each named by what differs, and none where the protocol asks nothing."""

from dataclasses import replace
from datetime import date

import pytest

from core.policy.deviation import CaptureTerms, deviations
from core.policy.protocol import ExpectedScanType, Protocol
from core.vocabulary import Deviation, Laterality

PROTOCOL = Protocol(
    expected=(ExpectedScanType(scan_type="octa-enface 3x3", lateralities=(Laterality.OD,)),),
    known_devices=("Optovue AngioVue",),
    requires_scale=True,
)
AS_ASKED = CaptureTerms(
    scan_type="octa-enface 3x3", laterality=Laterality.OD, device="Optovue AngioVue", software_version="2018.1",
    registered_software="2018.1", has_scale=True, taken_on=date(2026, 3, 2), window_ends_on=date(2026, 3, 30),
)  # fmt: skip


def test_a_capture_as_the_protocol_asks_deviates_in_nothing() -> None:
    assert deviations(PROTOCOL, AS_ASKED) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"scan_type": "octa-enface 6x6"}, Deviation.SCAN_TYPE),
        ({"laterality": Laterality.OS}, Deviation.LATERALITY),
        ({"device": "Zeiss AngioPlex"}, Deviation.DEVICE),
        ({"software_version": "2019.0"}, Deviation.SOFTWARE),
        ({"has_scale": False}, Deviation.SCALE),
        ({"taken_on": date(2026, 3, 31)}, Deviation.WINDOW),
    ],
)
def test_what_differs_is_named_and_nothing_else(changes: dict[str, object], expected: Deviation) -> None:
    assert deviations(PROTOCOL, replace(AS_ASKED, **changes)) == (expected,)  # type: ignore[arg-type]


def test_what_nobody_knows_or_asks_is_no_deviation() -> None:
    unknown = replace(AS_ASKED, registered_software="", window_ends_on=None, device="Zeiss AngioPlex", has_scale=False)
    assert deviations(Protocol.default(), unknown) == ()
    assert deviations(PROTOCOL, replace(AS_ASKED, taken_on=date(2026, 3, 30))) == ()
