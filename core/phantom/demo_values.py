"""What the demo study consists of, as frozen values: who, what, when, and what was planted. Draws nothing."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from core.phantom.look import DeviceLook
from core.phantom.spec import OctaPhantomSpec
from core.vocabulary import CoipsGrade, Laterality, ReasonCode, RequestState, ScanKind, Slab

SENT_AT = time(17, 30, tzinfo=UTC)
"""When a site sends what it took that day; the last scan of a day is taken an hour and a half before."""


@dataclass(frozen=True, slots=True)
class DemoSite:
    """A clinic. ``n_visits`` is how many visits it was to bring in the study's weeks."""

    code: str
    name: str
    country: str
    n_visits: int


@dataclass(frozen=True, slots=True)
class DemoDevice:
    """An OCT machine; ``share`` of its site's visits are taken on it."""

    code: str
    site: str
    manufacturer: str
    model: str
    serial: str
    software_version: str
    share: float
    look: DeviceLook


@dataclass(frozen=True, slots=True)
class DemoTechnician:
    """Who takes the scans."""

    code: str
    site: str
    name: str
    starts_in_week: int = 1


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """Something worth a mark on a trend; without site it concerns the study, without device the whole site."""

    kind: str
    happened_at: datetime
    text: str
    site: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class DemoSubject:
    """A participant by pseudonym; ``eye_seed`` is what makes every scan of that eye show the same vessels."""

    code: str
    site: str
    laterality: Laterality
    age_years: int
    diagnosis: str
    axial_length_mm: float | None
    nonperfusion: float
    eye_seed: int


@dataclass(frozen=True, slots=True)
class DemoVisit:
    """One visit of one subject with the window in which its scans count. A missed visit brought no scan."""

    subject: DemoSubject
    code: str
    planned_on: date
    window_ends_on: date
    fields_mm: tuple[float, ...]
    is_missed: bool


@dataclass(frozen=True, slots=True)
class DemoAcquisition:
    """One capture of one eye with its two slabs. ``spec`` is of the superficial slab; both share every artifact.

    ``code`` is unique within a visit, eye and field: A1 is the first attempt, A2 its replacement.
    """

    visit: DemoVisit
    code: str
    device: str
    software_version: str
    technician: str
    acquired_at: datetime
    field_mm: float
    quality_name: str
    quality_value: int
    spec: OctaPhantomSpec
    seed: int
    foreseen: CoipsGrade
    replaces: str | None = None
    """Key of the acquisition that this one was taken again for."""

    @property
    def key(self) -> str:
        """A readable name, unique within the study."""
        subject = self.visit.subject
        return f"{subject.code}_{self.visit.code}_{subject.laterality}_{self.field_mm:g}mm_{self.code}"

    @property
    def site(self) -> str:
        """Code of the site."""
        return self.visit.subject.site

    @property
    def is_poor(self) -> bool:
        """Whether its truth is ungradable."""
        return self.foreseen is CoipsGrade.UNGRADABLE

    @property
    def scans(self) -> tuple["DemoScan", ...]:
        """The superficial and the deep slab."""
        return tuple(DemoScan(self, slab) for slab in (Slab.SUPERFICIAL, Slab.DEEP))


@dataclass(frozen=True, slots=True)
class DemoScan:
    """One image file of the study."""

    acquisition: DemoAcquisition
    slab: Slab

    @property
    def file_name(self) -> str:
        """Name of the PNG, unique within the study."""
        return f"{self.acquisition.key}_{self.slab}.png"

    @property
    def spec(self) -> OctaPhantomSpec:
        """What to render."""
        return replace(self.acquisition.spec, slab=self.slab)

    def manifest_row(self, study: str) -> dict[str, str]:
        """The scan's row in the intake's manifest, without the number of the request that a replacement answers."""
        acquisition, subject = self.acquisition, self.acquisition.visit.subject
        return {
            "file": self.file_name,
            "study": study,
            "site": subject.site,
            "subject": subject.code,
            "visit": acquisition.visit.code,
            "acquisition": acquisition.code,
            "acquired_at": acquisition.acquired_at.isoformat(),
            "eye": subject.laterality.value,
            "kind": ScanKind.OCTA_ENFACE.value,
            "slab": self.slab.value,
            "field_width_mm": f"{acquisition.field_mm:g}",
            "field_height_mm": f"{acquisition.field_mm:g}",
            "device": acquisition.device,
            "software_version": acquisition.software_version,
            "technician": acquisition.technician,
            "device_quality_name": acquisition.quality_name,
            "device_quality_value": str(acquisition.quality_value),
            "axial_length_mm": "" if subject.axial_length_mm is None else f"{subject.axial_length_mm:.2f}",
            "age_years": str(subject.age_years),
            "diagnosis": subject.diagnosis,
            "replaces": "",
        }


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One move of a reacquisition request."""

    state: RequestState
    happened_at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """A request to take a capture again, with every step it has taken by the study's last day."""

    acquisition: DemoAcquisition
    reason: ReasonCode
    due_on: date
    steps: tuple[DemoStep, ...]
    replacement: DemoAcquisition | None = None

    @property
    def state(self) -> RequestState:
        """Where it stands now."""
        return self.steps[-1].state

    def is_overdue(self, today: date) -> bool:
        """The site still owes the new scan after the visit window has ended."""
        waits_for_site = (RequestState.REQUESTED, RequestState.ACKNOWLEDGED, RequestState.SCHEDULED)
        return self.state in waits_for_site and self.due_on < today


@dataclass(frozen=True, slots=True)
class DemoGrading:
    """One grader's masked grade of one scan."""

    scan: DemoScan
    grader: str
    ordinal: CoipsGrade
    graded_at: datetime


@dataclass(frozen=True, slots=True)
class Planted:
    """What a good audit must find in the study, and where nothing is to be found."""

    bad_site: str
    bad_site_reason: ReasonCode
    declining_device: str
    decline_week: int
    decline_starts_on: date
    decline_cause: str
    """What is marked on the trends when it begins."""
    decline_reason: ReasonCode
    tiny_site: str
    healthy_sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoStudy:
    """The whole study. Everything in it is simulated."""

    code: str
    name: str
    starts_on: date
    """A Monday; week 1 begins here."""
    ends_on: date
    visit_window_days: int
    sites: tuple[DemoSite, ...]
    devices: tuple[DemoDevice, ...]
    technicians: tuple[DemoTechnician, ...]
    visits: tuple[DemoVisit, ...]
    acquisitions: tuple[DemoAcquisition, ...]
    requests: tuple[DemoRequest, ...]
    gradings: tuple[DemoGrading, ...]
    events: tuple[DemoEvent, ...]
    planted: Planted

    @property
    def scans(self) -> tuple[DemoScan, ...]:
        """Every image in order of capture."""
        return tuple(scan for acquisition in self.acquisitions for scan in acquisition.scans)

    @property
    def first_pass(self) -> tuple[DemoAcquisition, ...]:
        """Captures that are no replacements."""
        return tuple(acquisition for acquisition in self.acquisitions if acquisition.replaces is None)

    def week_of(self, day: date) -> int:
        """Number of the study week, 1 to 26."""
        return (day - self.starts_on).days // 7 + 1
