"""A protocol from what a form holds, with every fault named by its field in words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from pydantic import ValidationError

from core.errors import UsageError
from core.policy.protocol import Borders, ExpectedScanType, Protocol
from core.policy.scan_types import is_scan_type

_WORDS = {
    "expected": "expected scans",
    "known_devices": "known devices",
    "conformal_level": "accept level",
    "smallest_cam_agreement": "Grad-CAM on artifacts",
    "requires_scale": "known field size",
    "inherit": "superficial slab decides",
    "region_diameter_mm": "region of interest",
    "n_evidence": "gradable captures to show",
    "lateralities": "eyes",
}
"""Where the field's own name says too little."""


def field_words(name: str) -> str:
    """A protocol's field as people read it."""
    return _WORDS.get(name, name.replace("_", " "))


def parse_protocol(document: Mapping[str, Any]) -> Protocol:
    """The protocol that a form holds.

    Raises
    ------
    UsageError
        Values that contradict each other or lie outside their range; every one is named.
    """
    try:
        protocol = Protocol.model_validate(dict(document))
    except ValidationError as error:
        faults = [
            f"{', '.join(field_words(str(at)) for at in fault['loc'])}: {fault['msg']}" for fault in error.errors()
        ]
        raise UsageError(f"The protocol is not right: {'; '.join(faults)}.", remedy="Correct these values.") from error
    contradictions = list(_contradictions(protocol))
    if contradictions:
        raise UsageError(f"The protocol is not right: {'; '.join(contradictions)}.", remedy="Correct these values.")
    return protocol


def _contradictions(protocol: Protocol) -> Iterator[str]:
    yield from _crossing("artifacts", protocol.artifact_borders)
    yield from _crossing("decentration", protocol.centration_borders)
    yield from dict.fromkeys(_colliding(protocol.expected))
    for scan in protocol.expected:
        if not is_scan_type(scan.scan_type):
            yield (
                f'expected scans: "{scan.scan_type}" is no scan type, which is a kind and a field like '
                '"octa-enface 3x3"'
            )
    visits = [window.visit for window in protocol.visit_windows]
    for name in sorted({each for each in visits if visits.count(each) > 1}):
        yield f"visit windows: {name} stands there twice"
    for code, own in protocol.wording.items():
        if not own.text.strip() or not own.remedy.strip():
            yield f"wording of {code.value}: text and remedy must not be empty"


def _colliding(expected: Sequence[ExpectedScanType]) -> Iterator[str]:
    """A type may stand on several lines, for other visits or other eyes; its slabs are the same on all of them."""
    for one, other in combinations(expected, 2):
        if one.scan_type != other.scan_type:
            continue
        is_same_visit = not one.visits or not other.visits or set(one.visits) & set(other.visits)
        is_same_eye = one.lateralities == other.lateralities or set(one.lateralities) & set(other.lateralities)
        if is_same_visit and is_same_eye:
            yield f"expected scans: {one.scan_type} stands there twice for the same eye and visit"
        if set(one.required_slabs) != set(other.required_slabs):
            yield f"expected scans: {one.scan_type} needs the same slabs on each of its lines"


def _crossing(name: str, borders: Borders) -> Iterator[str]:
    if borders.mild_from >= borders.severe_above:
        mild, severe = f"{100 * borders.mild_from:.1f}\u202f%", f"{100 * borders.severe_above:.1f}\u202f%"
        yield f"{name}: mild begins at {mild}, severe above {severe}; severe must begin later than mild"
