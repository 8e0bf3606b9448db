"""The check list of a capture: what is met, what differs, and what nobody asks."""

from dataclasses import replace

import pytest

from core.policy.capture_check import CaptureFacts, check_capture
from core.policy.protocol import ExpectedScanType, Protocol
from core.vocabulary import Laterality, Slab

PROTOCOL = Protocol(
    expected=(
        ExpectedScanType(
            scan_type="octa-enface 3x3", lateralities=(Laterality.OD,), required_slabs=(Slab.SUPERFICIAL, Slab.DEEP)
        ),
    ),
    known_devices=("Optovue AngioVue",),
    requires_scale=True,
)
FACTS = CaptureFacts(
    scan_type="octa-enface 3x3",
    laterality=Laterality.OD,
    slab=Slab.DEEP,
    device="Optovue AngioVue",
    software_version="2018.1",
    registered_software="2018.1",
    has_scale=True,
)


def answers(protocol: Protocol, facts: CaptureFacts) -> dict[str, bool | None]:
    return {check.subject: check.is_met for check in check_capture(protocol, facts)}


def test_a_capture_as_the_protocol_asks_meets_every_line() -> None:
    assert set(answers(PROTOCOL, FACTS).values()) == {True}


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"laterality": Laterality.OS}, "laterality"),
        ({"slab": Slab.CHORIOCAPILLARIS}, "slab"),
        ({"software_version": "2019.0"}, "software"),
        ({"device": "Zeiss Cirrus"}, "device"),
        ({"has_scale": False}, "scale"),
    ],
)
def test_what_differs_is_the_one_line_that_is_not_met(changes: dict[str, object], subject: str) -> None:
    found = answers(PROTOCOL, replace(FACTS, **changes))  # type: ignore[arg-type]
    assert [name for name, is_met in found.items() if is_met is False] == [subject]


def test_another_field_differs_and_leaves_eye_and_slab_unasked() -> None:
    found = answers(PROTOCOL, replace(FACTS, scan_type="octa-enface 6x6"))
    assert (found["scan_type"], found["laterality"], found["slab"]) == (False, None, None)


def test_a_type_that_several_visits_bring_is_named_once() -> None:
    (first,) = PROTOCOL.expected
    later = replace_types(first, ("octa-enface 6x6", "octa-enface 3x3"))
    lines = check_capture(PROTOCOL.model_copy(update={"expected": (first, *later)}), FACTS)
    assert next(line.asked for line in lines if line.subject == "scan_type") == "octa-enface 3x3 or octa-enface 6x6"


def replace_types(scan: ExpectedScanType, names: tuple[str, ...]) -> tuple[ExpectedScanType, ...]:
    return tuple(scan.model_copy(update={"scan_type": name, "visits": ("FU",)}) for name in names)


def test_a_protocol_that_asks_nothing_judges_nothing_but_the_registered_software() -> None:
    found = answers(Protocol.default(), replace(FACTS, has_scale=False))
    assert found.pop("software") is True
    assert set(found.values()) == {None}
    assert answers(Protocol.default(), replace(FACTS, registered_software=""))["software"] is None
