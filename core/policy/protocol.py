"""A study's protocol version: what is expected and from where on a scan is flagged. A frozen document, kept as JSON."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.policy.grading_plan import GradingPlan
from core.policy.reasons import REASON_TEXTS
from core.values import CENTRATION_LOSS, Reason, SeverityThresholds
from core.vocabulary import Laterality, OperatorFixable, ReasonCode, Slab

_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_KAMALIPOUR = "Kamalipour et al. 2021, PMC8463411, Table 1: more than 10 % is severe"
_CONTRACT = SeverityThresholds()


class _Document(BaseModel):
    """Refuses unknown fields, so that a misspelt threshold cannot be silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Borders(_Document):
    """Where mild begins and where severe begins, as shares of the region of interest, with their source."""

    mild_from: _Share
    severe_above: _Share
    source: str

    @property
    def thresholds(self) -> SeverityThresholds:
        """The same as the measures take it."""
        return SeverityThresholds(self.mild_from, self.severe_above)


class Wording(_Document):
    """A study's own words for one reason."""

    text: str
    remedy: str
    operator_fixable: OperatorFixable


class ExpectedScanType(_Document):
    """One scan that every visit should bring: its type (core.policy.scan_types), eyes and required slabs."""

    scan_type: str
    lateralities: tuple[Laterality, ...] = (Laterality.OD, Laterality.OS)
    required_slabs: tuple[Slab, ...] = ()
    """Empty: every slab that was received is required."""
    visits: tuple[str, ...] = ()
    """Codes of the visits that should bring it; empty: every visit."""


class VisitWindow(_Document):
    """A visit with a window of its own."""

    visit: str = Field(min_length=1)
    days: int = Field(ge=0, le=3650)
    """Days after the visit's first capture in which a scan may still be repeated."""


class Certification(_Document):
    """What a certificate asks for, and whether scans without one are marked and looked at by a person."""

    technicians: bool = False
    """Whether a scan by a technician without a certificate for its kind is marked."""
    devices: bool = False
    """The same for devices; a certificate is for one software version."""
    n_evidence: int = Field(default=3, ge=1, le=50)
    """Captures, each gradable, that have to be shown."""
    validity_months: int = Field(default=24, ge=1, le=120)
    source: str = (
        "Ours. Reading centres certify technicians and devices before the first patient and again after an upgrade "
        "(Retinal Physician 2020-06); number and validity differ from centre to centre"
    )


class Protocol(_Document):
    """Thresholds, expected scans and wording that hold from a protocol version's start until the next one.

    Stored as ``ProtocolVersion.document``; ``Protocol.model_validate(document)`` reads it back.
    """

    name: str = "default"
    artifact_borders: Borders = Borders(
        mild_from=_CONTRACT.mild_from, severe_above=_CONTRACT.severe_above, source=_KAMALIPOUR
    )
    centration_borders: Borders = Borders(
        mild_from=CENTRATION_LOSS.mild_from,
        severe_above=CENTRATION_LOSS.severe_above,
        source=f"{_KAMALIPOUR} (sector loss); mild at half of it is ours",
    )
    region_diameter_mm: float | None = Field(default=None, gt=0.0, le=12.0)
    """Region of interest: the centred circle of this diameter (1, 3 or 6 mm are usual); None is the whole field."""
    expected: tuple[ExpectedScanType, ...] = ()
    """Empty: any scan type is as good as another, and nothing is expected that was not sent."""
    visit_window_days: int | None = Field(default=28, ge=0)
    """Days after a visit's first capture in which a scan may still be repeated; None: no window, always open."""
    visit_windows: tuple[VisitWindow, ...] = ()
    """Visits whose window differs from that."""
    certification: Certification = Certification()
    inherit: bool = False
    """COIPS's rule: a deep slab takes the superficial slab's grade. Such scans lie outside the accept guarantee."""
    requires_scale: bool = False
    """Whether a scan without a known field size must be looked at by a person."""
    smallest_cam_agreement: _Share | None = 0.5
    """Below this an ungradable scan's evidence lies beside its artifacts, and a person looks; None: not asked. By
    default where less than half of the evidence lies on them (bundled model 1.0, 37 real ungradable scans: 0.71 at the
    least)."""
    conformal_level: float = Field(default=0.01, gt=0.0, lt=0.5)
    """Share of **all** scans that may be accepted although ungradable; the model abstains as often as that takes, by
    the calibration scans of its card (core.scoring.acceptance)."""
    known_devices: tuple[str, ...] = ()
    """Certified devices as "manufacturer model"; empty: any. Naming one also vouches for it where no calibration scan
    of the model comes from such a device."""
    grading: GradingPlan = GradingPlan()
    """Masked grading by several people, checks of what the model accepted, calibration mode."""
    wording: dict[ReasonCode, Wording] = Field(default_factory=dict)
    """The study's own words; reasons not named here keep those of core.policy.reasons."""

    @classmethod
    def default(cls) -> "Protocol":
        """What holds where a study says nothing of its own."""
        return cls()

    def window_days_of(self, visit: str) -> int | None:
        """Days of this visit's window; None: it stays open."""
        own = (window.days for window in self.visit_windows if window.visit == visit)
        return next(own, self.visit_window_days)

    def expected_at(self, visit: str) -> tuple[tuple[Laterality, str], ...]:
        """Eye and type of every scan that a visit should bring."""
        return tuple(
            (eye, scan.scan_type)
            for scan in self.expected
            if not scan.visits or visit in scan.visits
            for eye in scan.lateralities
        )

    def eyes_of(self, scan_type: str) -> tuple[Laterality, ...]:
        """The eyes of which scans of this type are asked, at any visit; empty: either, or nobody says."""
        asked = [scan.lateralities for scan in self.expected if scan.scan_type == scan_type]
        named = {eye for eyes in asked for eye in eyes}
        return tuple(eye for eye in Laterality if eye in named) if all(asked) else ()

    def required_slabs_of(self, scan_type: str) -> tuple[Slab, ...]:
        """The slabs that a capture of this type needs; empty: every one that was received."""
        return next((scan.required_slabs for scan in self.expected if scan.scan_type == scan_type), ())

    def expects(self, scan_type: str) -> bool:
        """Whether scans of this type belong to the study; always, where the protocol names none."""
        return not self.expected or any(scan.scan_type == scan_type for scan in self.expected)

    def reason(self, code: ReasonCode) -> Reason:
        """The reason in this study's words."""
        own = self.wording.get(code)
        if own is not None:
            return Reason(code, own.operator_fixable, own.text, own.remedy)
        wording = REASON_TEXTS[code]
        return Reason(code, wording.operator_fixable, wording.text, wording.remedy)
