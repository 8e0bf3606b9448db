"""The check list of a capture: what the protocol asks of its eye, field, slab, software and device index. Pure."""

from dataclasses import dataclass

from core.policy.protocol import Protocol
from core.vocabulary import Laterality, Slab


@dataclass(frozen=True, slots=True)
class CaptureFacts:
    """What is known of a capture and of the device it came from. Empty text and None: not stated."""

    scan_type: str
    laterality: Laterality
    slab: Slab
    device: str
    """Manufacturer and model."""
    software_version: str
    registered_software: str
    """The version that the study has on record for the device."""
    has_scale: bool


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list. ``is_met`` None: the protocol asks nothing, or what it asks cannot be told."""

    subject: str
    found: str
    asked: str
    is_met: bool | None


def check_capture(protocol: Protocol, facts: CaptureFacts) -> tuple[Check, ...]:
    """Every line, whether it is met or not, so that a person sees what was compared."""
    return (
        _laterality(protocol, facts),
        _scan_type(protocol, facts),
        _slab(protocol, facts),
        _software(facts),
        _device(protocol, facts),
        _scale(protocol, facts),
    )


def _laterality(protocol: Protocol, facts: CaptureFacts) -> Check:
    asked = protocol.eyes_of(facts.scan_type)
    if not asked:  # named per expected scan, or either eye
        return Check("laterality", facts.laterality, "", None)
    return Check("laterality", facts.laterality, " or ".join(asked), facts.laterality in asked)


def _scan_type(protocol: Protocol, facts: CaptureFacts) -> Check:
    asked = " or ".join(dict.fromkeys(scan.scan_type for scan in protocol.expected))  # one may be due at many visits
    return Check("scan_type", facts.scan_type, asked, protocol.expects(facts.scan_type) if protocol.expected else None)


def _slab(protocol: Protocol, facts: CaptureFacts) -> Check:
    required = protocol.required_slabs_of(facts.scan_type)
    if not required:
        return Check("slab", facts.slab, "", None)
    return Check("slab", facts.slab, " and ".join(required), facts.slab in required)


def _software(facts: CaptureFacts) -> Check:
    is_known = bool(facts.software_version and facts.registered_software)
    is_met = facts.software_version == facts.registered_software if is_known else None
    return Check("software", facts.software_version, facts.registered_software, is_met)


def _device(protocol: Protocol, facts: CaptureFacts) -> Check:
    known = protocol.known_devices
    return Check("device", facts.device, " or ".join(known), facts.device in known if known else None)


def _scale(protocol: Protocol, facts: CaptureFacts) -> Check:
    found = "known" if facts.has_scale else "not known"
    if not protocol.requires_scale:
        return Check("scale", found, "", None)
    return Check("scale", found, "known", facts.has_scale)
