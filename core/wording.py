"""The words of pages and reports for codes: one place, so that a state reads the same everywhere. Draws nothing."""

from core.policy.reasons import REASON_TEXTS
from core.policy.scan_types import kind_of
from core.vocabulary import (
    SCALE_OF_KIND,
    ArtifactType,
    GradeScale,
    Laterality,
    OperatorFixable,
    ReasonCode,
    ReportKind,
    ReportState,
    RequestState,
    ReviewDecision,
    Role,
    ScanKind,
    ScanState,
    Severity,
    Slab,
    Verdict,
)

ROLE_NAMES = {
    Role.SITE_TECHNICIAN: "Site technician",
    Role.QC_TECHNICIAN: "QC technician",
    Role.GRADER: "Grader",
    Role.ADJUDICATOR: "Adjudicator",
    Role.MANAGER: "Manager",
    Role.ADMIN: "Administrator",
}
GRADE_NAMES = {0: "Ungradable (0)", 1: "Gradable (1)", 2: "Outstanding (2)"}
"""The middle class is always written with its number, because "gradable" also means "1 or 2" (contracts.md)."""
SCALE_GRADE_NAMES = {
    GradeScale.COIPS_3: GRADE_NAMES,
    GradeScale.ONH_4: {0: "Unusable (0)", 1: "Poor (1)", 2: "Fair (2)", 3: "No concern (3)"},
    GradeScale.STRUCTURAL_2: {0: "Not usable (0)", 1: "Usable (1)"},
}
"""The names of every scale's grades; those of coips-3 are the ones that people grade by."""
EYE_NAMES = {Laterality.OD: "right eye", Laterality.OS: "left eye"}
SLAB_NAMES = {
    Slab.SUPERFICIAL: "Superficial",
    Slab.DEEP: "Deep",
    Slab.INNER_RETINA: "Inner retina",
    Slab.FULL_RETINA: "Full retina",
    Slab.CHORIOCAPILLARIS: "Choriocapillaris",
    Slab.UNKNOWN: "Slab not stated",
}
KIND_NAMES = {
    ScanKind.OCTA_ENFACE: "OCTA",
    ScanKind.ONH_ENFACE: "Optic nerve head",
    ScanKind.BSCAN: "B-scan",
    ScanKind.VOLUME: "OCT volume",
}
ARTIFACT_NAMES = {
    ArtifactType.MOTION: "Motion",
    ArtifactType.SHADOW: "Shadow",
    ArtifactType.DEFOCUS: "Defocus",
    ArtifactType.LOW_SIGNAL: "Low signal",
    ArtifactType.SHALLOW: "Shallow signal loss",
    ArtifactType.DARK: "Dark signal loss",
}
ARTIFACT_LABELS = {**{kind.value: name for kind, name in ARTIFACT_NAMES.items()}, "decentration": "Decentration"}
"""Artifact types by value, and the fovea's distance from the centre, as the counts name them (core.store.finding)."""
SEVERITY_NAMES = {Severity.NONE: "none", Severity.MILD: "mild", Severity.SEVERE: "severe"}
REPORT_NAMES = {
    ReportKind.SITE: "Site report card",
    ReportKind.STUDY: "Study quality report",
    ReportKind.RECEIPT: "Receipt",
    ReportKind.TIPS: "Tip sheet",
}
REPORT_STATE_NAMES = {
    ReportState.ASKED: "Being made",
    ReportState.MADE: "Made",
    ReportState.FAILED: "Could not be made",
}
VERDICT_NAMES = {Verdict.ACCEPT: "Accept", Verdict.REVIEW: "Needs a person", Verdict.REACQUIRE: "Take again"}
STATE_NAMES = {
    ScanState.RECEIVED: "Received",
    ScanState.QUEUED: "Waiting for its score",
    ScanState.SCORING: "Being scored",
    ScanState.SCORED: "Waiting for a decision",
    ScanState.FAILED: "Could not be scored",
    ScanState.QUARANTINED: "Set aside after repeated crashes",
    ScanState.UNDER_REVIEW: "Waiting for a decision",
    ScanState.ACCEPTED: "Accepted",
    ScanState.QUERIED: "Question to the site",
    ScanState.REACQUISITION_REQUESTED: "To be taken again",
    ScanState.SUPERSEDED: "Replaced by a newer scan",
    ScanState.CLOSED_NOT_POSSIBLE: "Closed: not possible",
}
REQUEST_NAMES = {
    RequestState.REQUESTED: "Requested",
    RequestState.ACKNOWLEDGED: "Acknowledged",
    RequestState.SCHEDULED: "Scheduled",
    RequestState.RECEIVED: "Replacement received",
    RequestState.REGRADED: "Replacement scored",
    RequestState.CLOSED: "Closed",
    RequestState.NOT_POSSIBLE: "Not possible",
    RequestState.WITHDRAWN: "Withdrawn",
}
REQUEST_STEPS = {
    RequestState.REQUESTED: "asked for a new scan",
    RequestState.ACKNOWLEDGED: "acknowledged the request",
    RequestState.SCHEDULED: "made an appointment for the new scan",
    RequestState.RECEIVED: "sent the replacement",
    RequestState.REGRADED: "saw the replacement scored",
    RequestState.CLOSED: "closed the request",
    RequestState.NOT_POSSIBLE: "said that a new scan is not possible",
    RequestState.WITHDRAWN: "withdrew the request",
}
"""What a person did by each move of a request."""
DECISION_NAMES = {
    ReviewDecision.ACCEPT: "accepted the scan",
    ReviewDecision.OVERRIDE: "overrode the grade",
    ReviewDecision.REQUEST_REACQUISITION: "asked for a new scan",
    ReviewDecision.GRADE: "gave a masked grade",
    ReviewDecision.QUERY: "asked the site",
    ReviewDecision.ANSWER: "answered",
    ReviewDecision.UNDO: "took the last decision back",
}
SUSPENDED = "Device suspended"
SUSPENDED_HINT = "The certificate of the device was suspended when this was captured"
FIXABLE_NAMES = {
    OperatorFixable.YES: "can be cured at the device",
    OperatorFixable.NO: "cannot be cured at the device",
    OperatorFixable.UNKNOWN: "not known whether a new scan helps",
}
REASON_NAMES = {code: words.label for code, words in REASON_TEXTS.items()}


def scan_type_words(code: str) -> str:
    """A scan type as people say it: ``OCTA 3 × 3 mm`` for ``octa-enface 3x3`` (core.policy.scan_types)."""
    kind, _, field = code.partition(" ")
    name = KIND_NAMES[ScanKind(kind)] if kind in list(ScanKind) else kind
    width, is_sized, height = field.partition("x")
    return f"{name} {width} × {height} mm" if is_sized else f"{name}, size not known"


def scan_words(scan_type: str, slab: Slab) -> str:
    """A scan's type with its slab, as people say it: ``OCTA 3 × 3 mm, deep``. Only OCTA has slabs."""
    words = scan_type_words(scan_type)
    return f"{words}, {SLAB_NAMES[slab].lower()}" if kind_of(scan_type) is ScanKind.OCTA_ENFACE else words


def reason_code_words(code: ReasonCode) -> str:
    """A reason's code as its guide writes it: ``OSCAR-MP: M``; our own as ``octaudit: abstained``."""
    guide, _, name = code.partition(":")
    return f"{guide.upper()}: {name}" if guide.startswith("oscar") else f"{guide}: {name.replace('-', ' ')}"


def ago(seconds: float) -> str:
    """A duration in the largest unit that fits: ``40 s``, ``12 min``, ``5 h``, ``3 days``."""
    for limit, divisor, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // divisor)} {unit}"
    return f"{int(seconds // 86400)} days"


def days_left_words(days: int | None) -> str:
    """What remains of a visit window: ``3 days left``, ``last day``, ``closed 2 days ago``, ``no window``."""
    if days is None:
        return "no visit window"
    if days < 0:
        return f"closed {_span(-days)} ago"
    return "last day" if days == 0 else f"{days} day{'s' if days > 1 else ''} left"


def days_owed_words(days: int | None) -> str:
    """The same of something that a site owes by a day: ``overdue by 2 days`` once it has passed."""
    return f"overdue by {_span(-days)}" if days is not None and days < 0 else days_left_words(days)


def _span(days: int) -> str:
    """A length in days, from four months on in months, from two years on in years."""
    for from_days, unit_days, unit in ((730, 365.25, "years"), (120, 30.44, "months")):
        if days >= from_days:
            return f"{int(days / unit_days)} {unit}"
    return f"{days} day{'s' if days > 1 else ''}"


def percent(fraction: float, decimals: int = 0) -> str:
    """A fraction as ``71 %``, with a narrow space as ISO 80000-1 asks."""
    return f"{100 * fraction:.{decimals}f}\u202f%"


def count(n: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{n:,}".replace(",", "\u202f")


def with_minus(number: str) -> str:
    """The words with a minus sign where a number has a hyphen."""
    return number.replace("-", "\N{MINUS SIGN}")


def days_words(days: float) -> str:
    """A wait in the unit that fits: ``40 min``, ``5 h``, ``2.5 days``."""
    if days < 1.0:
        minutes = days * 24 * 60
        return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"  # noqa: PLR2004 - two hours
    return f"{days:.1f} days"


def grade_names(kind: ScanKind) -> dict[int, str]:
    """The grades of scans of a kind, by ordinal."""
    return SCALE_GRADE_NAMES[SCALE_OF_KIND[kind]]


def grade_name(ordinal: int, kind: ScanKind) -> str:
    """The name of one of them."""
    return grade_names(kind)[ordinal]
