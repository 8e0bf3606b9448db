"""A protocol version field by field in words, where its defaults come from, and what differs between two. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.policy.grading_plan import SettlingRule
from core.policy.protocol import Borders, ExpectedScanType, Protocol
from core.policy.reasons import REASON_TEXTS

EXPECTED_SCAN = "Expected scan "
"""How the name of an expected scan's setting begins; its scan type follows, and a number where that stood before."""
_OURS = "ours"
_COIPS = "Wang et al. 2021, COIPS, section 2.2"
_RULES = {
    SettlingRule.UNANIMOUS: "all graders give the same grade",
    SettlingRule.MAJORITY: "more than half give the same grade, nobody two steps away",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a protocol: its name, its value in words, and where the value comes from."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not the same in two versions; "not set" where one of them does not have it."""

    name: str
    before: str
    after: str


def describe(protocol: Protocol) -> tuple[Setting, ...]:
    """Every setting in words. A source is named where the value is the default; a study's own value is the study's."""
    default = {(each.name, each.value) for each in _settings(Protocol.default())}
    kept = ("Artifact", "Decentration", "Certificates")  # their source is a field of the protocol itself
    return tuple(
        each
        if (each.name, each.value) in default or each.name.startswith(kept)
        else Setting(each.name, each.value, "this study")
        for each in _settings(protocol)
    )


def differences(before: Protocol, after: Protocol) -> tuple[Difference, ...]:
    """What changed from one version to the next, setting by setting, old and new."""
    old = {each.name: each.value for each in _settings(before)}
    new = {each.name: each.value for each in _settings(after)}
    return tuple(
        Difference(name, old.get(name, "not set"), new.get(name, "not set"))
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    )


def numbered(names: Iterable[str]) -> list[str]:
    """The names with a number at each that stood before: ``a``, ``a (2)``; a scan type may be expected on two lines."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _settings(protocol: Protocol) -> Iterator[Setting]:
    yield Setting("Name", protocol.name, _OURS)
    yield from _borders("Artifact", protocol.artifact_borders)
    yield from _borders("Decentration", protocol.centration_borders)
    region = protocol.region_diameter_mm
    words = "whole field" if region is None else f"central circle of {region:g} mm"
    yield Setting("Region of interest", words, "Kamalipour et al. 2021, PMC8463411: the whole scan")
    yield from _expected(protocol)
    yield from _judging(protocol)
    yield from _certification(protocol)
    yield from _grading(protocol)
    for code, own in sorted(protocol.wording.items()):
        label = f"Wording of {REASON_TEXTS[code].label} ({code.value})"
        yield Setting(f"{label}: text", own.text, "this study")
        yield Setting(f"{label}: remedy", own.remedy, "this study")
        yield Setting(f"{label}: the operator can cure it", own.operator_fixable.value, "this study")


def _borders(name: str, borders: Borders) -> Iterator[Setting]:
    yield Setting(f"{name}: mild from", _share(borders.mild_from), borders.source)
    yield Setting(f"{name}: severe above", _share(borders.severe_above), borders.source)
    yield Setting(f"{name}: source", borders.source, borders.source)


def _expected(protocol: Protocol) -> Iterator[Setting]:
    if not protocol.expected:
        yield Setting("Expected scans", "any; nothing is expected that was not sent", _OURS)
    names = numbered(f"{EXPECTED_SCAN}{scan.scan_type}" for scan in protocol.expected)
    for name, scan in zip(names, protocol.expected, strict=True):
        yield Setting(name, _expected_words(scan), "this study")
    days = protocol.visit_window_days
    yield Setting("Visit window", "always open" if days is None else _days(days), _OURS)
    for window in protocol.visit_windows:
        yield Setting(f"Visit window of {window.visit}", _days(window.days), "this study")


def _expected_words(scan: ExpectedScanType) -> str:
    eyes = _list(eye.value for eye in scan.lateralities) or "eyes as sent"
    slabs = _list(slab.value for slab in scan.required_slabs) or "every slab received"
    visits = _list(scan.visits) or "every visit"
    return f"{eyes}; required: {slabs}; at {visits}"


def _judging(protocol: Protocol) -> Iterator[Setting]:
    level = protocol.conformal_level
    yield Setting("Accept level", f"{_share(level)} of all scans", "ours; docs/adr/0016")
    rule = "the superficial slab's grade" if protocol.inherit else "each slab its own, the worse counts"
    yield Setting("Grade of a deep slab", rule, "ours; COIPS lets it inherit")
    needs = "a person must look" if protocol.requires_scale else "accepted"
    yield Setting("Scan without a known field size", needs, "ours; docs/adr/0006")
    least = protocol.smallest_cam_agreement
    words = "not asked" if least is None else f"at least {_share(least)}"
    yield Setting("Grad-CAM on artifacts", words, "ours; 37 ungradable scans, at the least 71 %")
    yield Setting("Known devices", _list(protocol.known_devices) or "any", _OURS)


def _certification(protocol: Protocol) -> Iterator[Setting]:
    rules = protocol.certification
    for name, is_asked in (("technicians", rules.technicians), ("devices", rules.devices)):
        words = "required; scans without one are marked" if is_asked else "not required"
        yield Setting(f"Certificates of {name}", words, rules.source)
    yield Setting("Certificates: gradable captures to show", f"{rules.n_evidence}", rules.source)
    yield Setting("Certificates: valid for", f"{rules.validity_months} months", rules.source)
    yield Setting("Certificates: source", rules.source, rules.source)


def _grading(protocol: Protocol) -> Iterator[Setting]:
    plan = protocol.grading
    yield Setting("Grading: graders per scan", f"{plan.n_graders}", _COIPS)
    yield Setting("Grading: settled when", _RULES[plan.rule], _COIPS)
    yield Setting("Grading: scans graded masked", _share(plan.graded_share), _OURS)
    yield Setting("Grading: checked by the adjudicator", _share(plan.senior_check_share), _COIPS)
    yield Setting("Grading: repeated by the same grader", _share(plan.repeat_share), _OURS)
    yield Setting("Grading: repeated after", _days(plan.repeat_after_days), _OURS)
    yield Setting("Grading: due within", _days(plan.due_days), _OURS)
    yield Setting("Grading: accepted scans checked", _share(plan.accepted_check_share), _OURS)
    hides = "hidden until the own grade" if plan.hides_model else "shown"
    yield Setting("Grading: the model's grade", hides, _OURS)


def _share(value: float) -> str:
    return f"{100 * value:g}\u202f%"


def _days(n: int) -> str:
    return f"{n} day{'' if n == 1 else 's'}"


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)
