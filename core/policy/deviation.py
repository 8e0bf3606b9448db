"""In what a capture is not as the protocol says, judged once, when it is received. Pure.

What a slab lacks is completeness, and a missing certificate is a reason of its own: neither is a deviation here.
"""

from dataclasses import dataclass
from datetime import date

from core.policy.protocol import Protocol
from core.vocabulary import Deviation, Laterality


@dataclass(frozen=True, slots=True)
class CaptureTerms:
    """What is known of a capture when it comes. Empty text: not stated.

    ``registered_software`` is what the study had on record for the device when the capture was taken; empty where
    nobody knows that any more.
    """

    scan_type: str
    laterality: Laterality
    device: str
    """Manufacturer and model."""
    software_version: str
    registered_software: str
    has_scale: bool
    taken_on: date
    window_ends_on: date | None


def deviations(protocol: Protocol, terms: CaptureTerms) -> tuple[Deviation, ...]:
    """Every way in which the capture differs from what ``protocol`` asks, in the order of ``Deviation``."""
    asked = protocol.eyes_of(terms.scan_type)
    is_software_known = bool(terms.software_version and terms.registered_software)
    holds = {
        Deviation.WINDOW: terms.window_ends_on is not None and terms.taken_on > terms.window_ends_on,
        Deviation.SCAN_TYPE: not protocol.expects(terms.scan_type),
        Deviation.LATERALITY: bool(asked) and terms.laterality not in asked,
        Deviation.DEVICE: bool(protocol.known_devices) and terms.device not in protocol.known_devices,
        Deviation.SOFTWARE: is_software_known and terms.software_version != terms.registered_software,
        Deviation.SCALE: protocol.requires_scale and not terms.has_scale,
    }
    return tuple(kind for kind in Deviation if holds[kind])
