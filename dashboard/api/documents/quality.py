"""Causes of failure, the foveal avascular zone, and agreement of model and people."""

from datetime import datetime

from pydantic import Field

from core.usecases.compare_faz import PairKind
from core.vocabulary import Laterality, OperatorFixable, ReasonCode, ScaleSource, Severity, Slab
from dashboard.api.documents.base import Document, MaybeRange, Number


class CauseDocument(Document):
    """How often one cause made a first capture ungradable."""

    code: ReasonCode
    text: str
    remedy: str
    operator_fixable: OperatorFixable
    n_first: int = Field(description="Captures of which it is the weightiest cause; these sum to the failures.")
    n_any: int = Field(description="Captures that have it among their causes.")


class ArtifactCountDocument(Document):
    """How many decided first captures have an artifact."""

    artifact: str
    severity: Severity
    n: int


class CauseCountsDocument(Document):
    """Causes and artifacts of the first captures of one group."""

    n_decided: int
    n_ungradable: int
    n_repeated: int = Field(description="Captures taken again.")
    n_repeated_gradable: int
    causes: list[CauseDocument]
    artifacts: list[ArtifactCountDocument]


class GroupCausesDocument(Document):
    """The same of one site or device."""

    id: int
    code: str
    counts: CauseCountsDocument


class CausesDocument(Document):
    """What the page Why scans fail shows."""

    as_of: datetime
    unit: str = Field(description="What is counted.")
    whole: CauseCountsDocument
    sites: list[GroupCausesDocument]
    devices: list[GroupCausesDocument]


class FazPointDocument(Document):
    """One scan's metric."""

    scan_id: int
    subject_code: str
    site_code: str
    device_code: str
    laterality: Laterality
    acquired_at: datetime
    ordinal: int
    value: float = Field(description="In the metric's unit, which its name carries.")
    z: float | None = Field(description="Robust z within its group; null: too few to say.")
    is_outlier: bool


class FazGroupDocument(Document):
    """One site's or device's metric."""

    name: str
    n_scans: int
    n_patients: int
    quartiles: tuple[float, float, float]
    mean: MaybeRange
    n_outliers: int


class FazPairsDocument(Document):
    """Differences between eyes, visits or repeats of one kind."""

    kind: PairKind
    n_pairs: int
    bias: MaybeRange = Field(description="Mean difference, in the metric's unit.")
    repeatability: MaybeRange = Field(description="2.77 within-subject deviations, in the metric's unit.")


class GradeMeanDocument(Document):
    """The metric's mean over scans of one final grade."""

    ordinal: int
    n_scans: int
    n_patients: int
    mean: MaybeRange


class NormDocument(Document):
    """A published distribution in healthy eyes, for this metric, slab and field."""

    mean: float
    deviation: float
    low: float
    high: float
    population: str
    method: str
    source: str


class ScaleSourceDocument(Document):
    """How many scans have their millimetres from one source."""

    source: ScaleSource | None = Field(description="Null: no scale, so no millimetres.")
    n_scans: int


class MissingDocument(Document):
    """How many scans have no value, and why."""

    reason: str
    n_scans: int


class FazDocument(Document):
    """What the page FAZ shows."""

    as_of: datetime
    metric: str = Field(description="Name with its unit.")
    unit: str
    n_scans: int
    n_ungradable: int = Field(description="Scans whose metrics are withheld because they are ungradable.")
    n_with_axial_length: int
    is_cut: bool = Field(description="True: of each device only the latest captures.")
    per_device: int
    norm: NormDocument | None
    groups: list[FazGroupDocument]
    n_groups: int
    points: list[FazPointDocument]
    cut_off: list[int] = Field(description="Scans whose zone touches the image's border.")
    pairs: list[FazPairsDocument]
    grades: list[GradeMeanDocument]
    effect_ungradable: MaybeRange = Field(description="Ungradable less gradable, in the metric's unit.")
    effect_middle: MaybeRange = Field(description="Gradable less outstanding, in the metric's unit.")
    missing: list[MissingDocument]
    sources: list[ScaleSourceDocument]


class AgreementFoundDocument(Document):
    """How well two grades agree."""

    confusion: list[list[int]] = Field(description="Pairs of grades; row: the first, column: the second, from 0 to 2.")
    percent: MaybeRange = Field(description="Share of equal grades, 0..1.")
    kappa: MaybeRange = Field(description="Quadratically weighted, with 95 % interval over patients.")
    ac1: MaybeRange
    n_scans: int
    n_patients: int


class AgreementGroupDocument(Document):
    """Agreement of model and people within one group."""

    name: str
    n_pairs: int
    found: AgreementFoundDocument | None
    not_computable: str | None


class DisputedDocument(Document):
    """A scan on which grades lie apart."""

    scan_id: int
    site_code: str
    device_code: str
    slab: Slab
    model_ordinal: Number
    ordinals: list[int] = Field(description="Grades of people, without names.")


class AgreementDocument(Document):
    """What the page Agreement shows."""

    as_of: datetime
    is_cut: bool
    n_model_silent: int = Field(description="Graded scans on which the model abstained.")
    model: AgreementGroupDocument = Field(description="Model against people.")
    people: AgreementGroupDocument = Field(description="People against each other.")
    groups: list[AgreementGroupDocument]
    disputed: list[DisputedDocument]
