"""Drift of images and scores, calibration, and model versions against each other."""

from datetime import date, datetime

from pydantic import Field

from core.statistics.drift import DriftLevel
from core.store.graded_scan import Reference
from core.vocabulary import Slab, Verdict
from dashboard.api.documents.base import Document, MaybeNumber, MaybeRange, Number
from dashboard.api.documents.quality import AgreementFoundDocument


class DriftMeasureDocument(Document):
    """One effect size of drift."""

    value: Number
    threshold: Number = Field(description="From here on it counts, where it is beyond chance, too.")
    by_chance: Number = Field(description="99 of 100 draws of chance lie below.")
    is_beyond: bool


class DriftDocument(Document):
    """How far one distribution has moved from another."""

    level: DriftLevel
    psi: DriftMeasureDocument
    jensen_shannon: DriftMeasureDocument
    wasserstein: DriftMeasureDocument
    shift: Number = Field(description="Change of the mean, in the distribution's unit.")
    n_reference: int
    n_current: int


class MaybeDriftDocument(Document):
    """Drift, or why it could not be judged."""

    found: DriftDocument | None
    not_computable: str | None


class BinDocument(Document):
    """One bar of a histogram."""

    starts_at: float = Field(description="Lower end of the bin.")
    n: int


class IndexBinDocument(Document):
    """One bar of the histogram of a device's own quality index."""

    index: str
    starts_at: float
    n: int


class HistogramsDocument(Document):
    """Distributions of one span of time."""

    n_slabs: int
    scores: list[BinDocument] = Field(description="Scored slabs by probability of ungradable, in tenths.")
    indices: list[IndexBinDocument]
    n_abstained: int
    n_strangers: int = Field(description="Scored slabs that look like no OCTA image.")


class DeviceDriftDocument(Document):
    """One device against its own past."""

    id: int
    code: str
    site_code: str
    model: str
    level: DriftLevel
    is_judged: bool
    scores: MaybeDriftDocument
    index: MaybeDriftDocument


class InputWatchDocument(Document):
    """What the view Drift of the page Model & data watch shows."""

    as_of: datetime
    starts_on: date = Field(description="First day of the present span; the reference is the year before.")
    before: HistogramsDocument
    now: HistogramsDocument
    scores: MaybeDriftDocument
    devices: list[DeviceDriftDocument]


class ReliabilityDocument(Document):
    """Scans of one band of predicted probability."""

    predicted: Number = Field(description="Mean probability of ungradable, 0..1.")
    observed: MaybeRange = Field(description="Share that people called ungradable, 0..1.")
    n_scans: int


class CalibrationOfDocument(Document):
    """Whether predicted shares come true in one group."""

    name: str
    device_id: int | None
    n_scans: int
    n_patients: int
    predicted: MaybeNumber = Field(description="Mean probability of ungradable, 0..1.")
    observed: MaybeNumber = Field(description="Share that people called ungradable, 0..1.")
    excess: MaybeRange = Field(description="Observed over predicted.")
    slope: MaybeRange
    error: MaybeNumber = Field(description="Expected calibration error, 0..1.")
    is_off: bool
    points: list[ReliabilityDocument]


class CalibrationDocument(Document):
    """What the view Calibration shows."""

    as_of: datetime
    reference: Reference
    is_cut: bool
    whole: CalibrationOfDocument
    devices: list[CalibrationOfDocument]


class CountingVersionDocument(Document):
    """A model version and how many scans its grade counts for."""

    name: str
    n_scans: int


class VerdictChangeDocument(Document):
    """How many scans one version gave one verdict and the other another."""

    champion: Verdict
    challenger: Verdict
    n: int


class ChangedScanDocument(Document):
    """A scan on which two versions differ."""

    scan_id: int
    site_code: str
    device_code: str
    slab: Slab
    champion_ordinal: int | None
    challenger_ordinal: int | None


class VersionComparisonDocument(Document):
    """A challenger against the version that counts."""

    champion: str
    challenger: str
    n_scans: int
    n_silent: int = Field(description="Scans on which either abstained.")
    is_of_likeliest: bool = Field(
        description="Whether grades compares the likeliest grades: one or both abstained on every scan."
    )
    grades: AgreementFoundDocument | None
    not_computable: str | None
    verdicts: list[VerdictChangeDocument]
    changed: MaybeRange = Field(description="Share of scans with another verdict, 0..1.")
    changes: list[ChangedScanDocument]


class VersionsDocument(Document):
    """What the view Model versions shows."""

    as_of: datetime
    per_device: int
    counting: list[CountingVersionDocument]
    comparisons: list[VersionComparisonDocument]
