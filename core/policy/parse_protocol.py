"""A protocol from what a form holds, with every fault named by its field in words. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from core.errors import UsageError
from core.policy.protocol import Borders, Protocol
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
    types = [scan.scan_type for scan in protocol.expected]
    for name in sorted({each for each in types if types.count(each) > 1}):
        yield f"expected scans: {name} stands there twice"
    for name in types:
        if not is_scan_type(name):
            yield f'expected scans: "{name}" is no scan type, which is a kind and a field like "octa-enface 3x3"'
    visits = [window.visit for window in protocol.visit_windows]
    for name in sorted({each for each in visits if visits.count(each) > 1}):
        yield f"visit windows: {name} stands there twice"
    for code, own in protocol.wording.items():
        if not own.text.strip() or not own.remedy.strip():
            yield f"wording of {code.value}: text and remedy must not be empty"


def _crossing(name: str, borders: Borders) -> Iterator[str]:
    if borders.mild_from >= borders.severe_above:
        mild, severe = f"{100 * borders.mild_from:.1f}\u202f%", f"{100 * borders.severe_above:.1f}\u202f%"
        yield f"{name}: mild begins at {mild}, severe above {severe}; severe must begin later than mild"
