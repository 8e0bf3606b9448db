"""The rows of an export: every scan, or every count, that the session may see, in chunks; no original file name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from core.database.tables import (
    Acquisition,
    Assessment,
    AssessmentArtifact,
    AssessmentReason,
    Batch,
    Device,
    ModelVersion,
    ProtocolVersion,
    Scan,
    Site,
    Study,
    Subject,
    Technician,
    Visit,
)
from core.measures.words import MEASURES
from core.store.rate import all_counts
from core.store.scan_filter import ScanFilter, count_conditions, filter_conditions
from core.vocabulary import ArtifactType, RateMeasure

CHUNK = 2_000
"""Rows in memory at once."""


class ColumnKind(StrEnum):
    """What a column holds: decides its type in Parquet and whether a spreadsheet could take it for a formula."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    YES_NO = "yes_no"
    MOMENT = "moment"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """One column: its name in the files, its kind, its unit (empty: none) and what it means."""

    name: str
    kind: ColumnKind
    meaning: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """Columns in the order of the rows, and how to read the rows."""

    columns: tuple[ExportColumn, ...]
    statement: Select[*tuple[Any, ...]]


def read_chunks(session: Session, export: Export) -> Iterator[Sequence[Sequence[Any]]]:
    """The rows, ``CHUNK`` at a time, over a cursor on the server."""
    result = session.execute(export.statement.execution_options(yield_per=CHUNK))
    yield from result.partitions()


def scan_export(chosen: ScanFilter) -> Export:
    """Every scan under ``chosen`` with its grades, findings, measures and the versions behind them."""
    pairs = [*_identity(), *_capture(), *_judgement(), *_findings(), *_measures(), *_versions()]
    statement = (
        select(*(column.label(described.name) for described, column in pairs))
        .select_from(Scan)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Study, Study.id == Site.study_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .join(Device, Device.id == Acquisition.device_id)
        .join(Batch, Batch.id == Scan.batch_id)
        .outerjoin(Technician, Technician.id == Acquisition.technician_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .outerjoin(ModelVersion, ModelVersion.id == Assessment.model_version_id)
        .outerjoin(ProtocolVersion, ProtocolVersion.id == Assessment.protocol_version_id)
        .where(*filter_conditions(chosen))
        .order_by(Scan.id)
    )
    return Export(tuple(described for described, _ in pairs), statement)


_Pair = tuple[ExportColumn, ColumnElement[Any] | Any]
_T, _I, _N, _Y, _M = (
    ColumnKind.TEXT, ColumnKind.INTEGER, ColumnKind.NUMBER, ColumnKind.YES_NO, ColumnKind.MOMENT,
)  # fmt: skip


def _identity() -> list[_Pair]:
    return [
        (ExportColumn("scan_id", _I, "Number of the scan in octaudit"), Scan.id),
        (ExportColumn("acquisition_id", _I, "Number of the capture; its slabs share it"), Acquisition.id),
        (ExportColumn("study", _T, "Code of the study"), Study.code),
        (ExportColumn("site", _T, "Code of the site"), Site.code),
        (ExportColumn("subject", _T, "Pseudonym of the subject"), Subject.code),
        (ExportColumn("visit", _T, "Code of the visit"), Visit.code),
        (ExportColumn("eye", _T, "OD (right) or OS (left)"), Acquisition.laterality),
    ]


def _capture() -> list[_Pair]:
    return [
        (ExportColumn("kind", _T, "What the scan is a picture of"), Scan.kind),
        (ExportColumn("scan_type", _T, "Kind and nominal field"), Acquisition.scan_type),
        (ExportColumn("slab", _T, "Retinal layers that the image was projected from"), Scan.slab),
        (ExportColumn("acquired_at", _M, "When it was captured (UTC)"), Acquisition.acquired_at),
        (ExportColumn("submitted_at", _M, "When its batch was submitted (UTC)"), Batch.submitted_at),
        (ExportColumn("device", _T, "Code of the device"), Device.code),
        (ExportColumn("device_model", _T, "Its model"), Device.model),
        (ExportColumn("software_version", _T, "Its software when it captured"), Acquisition.software_version),
        (ExportColumn("technician", _T, "Code of the technician; empty where not stated"), Technician.code),
        (ExportColumn("field_width", _N, "Width of the field; empty: not known", "mm"), Acquisition.field_width_mm),
        (ExportColumn("field_height", _N, "Height of the field; empty: not known", "mm"), Acquisition.field_height_mm),
        (ExportColumn("scale_source", _T, "Where the scale was read"), Acquisition.scale_source),
        (ExportColumn("device_quality_name", _T, "Name of the device's own index"), Acquisition.device_quality_name),
        (ExportColumn("device_quality", _N, "Its value"), Acquisition.device_quality_value),
        (ExportColumn("is_replacement", _Y, "Taken again for another capture"), Acquisition.replaces_id.is_not(None)),
        (ExportColumn("is_phantom", _Y, "Of a test object: outside every rate"), Acquisition.is_phantom),
    ]


def _judgement() -> list[_Pair]:
    return [
        (ExportColumn("state", _T, "Where the scan stands"), Scan.state),
        (ExportColumn("model_grade", _I, "The model's grade: 0 ungradable, 1, 2; empty: not scored"),
         Assessment.grade_ordinal),
        (ExportColumn("p_ungradable", _N, "The model's probability of ungradable, 0 to 1"),
         Assessment.probabilities["ungradable"].as_float()),
        (ExportColumn("is_abstained", _Y, "The model abstained"), Assessment.is_abstained),
        (ExportColumn("inherited_grade", _I, "Grade taken over from the superficial slab"),
         Assessment.inherited_ordinal),
        (ExportColumn("human_grade", _I, "The grade that a person gave in a deciding review"), Scan.human_ordinal),
        (ExportColumn("model_verdict", _T, "What the protocol says of the model's grade"), Assessment.verdict),
        (ExportColumn("final_verdict", _T, "Verdict after people had their say"), Scan.final_verdict),
    ]  # fmt: skip


def _findings() -> list[_Pair]:
    reasons = (
        select(func.string_agg(AssessmentReason.code, aggregate_order_by(literal(";"), AssessmentReason.rank)))
        .where(AssessmentReason.assessment_id == Scan.assessment_id)
        .correlate(Scan)
        .scalar_subquery()
    )
    pairs: list[_Pair] = [
        (ExportColumn("reasons", _T, "Codes of the reasons, the weightiest first, divided by ;"), reasons)
    ]
    for kind in ArtifactType:
        found = aliased(AssessmentArtifact)
        of_scan = (found.assessment_id == Scan.assessment_id, found.type == kind.value)
        share, severity = (
            select(column).where(*of_scan).correlate(Scan).scalar_subquery()
            for column in (found.area_fraction, found.severity)
        )
        name = kind.value.replace("_", " ")
        pairs += [
            (ExportColumn(f"{kind.value}_fraction", _N, f"Share of the region of interest with {name}, 0 to 1"), share),
            (ExportColumn(f"{kind.value}_severity", _T, f"Severity of {name}: none, mild, severe"), severity),
        ]
    severity_of_centre = ExportColumn("centration_severity", _T, "Severity of the fovea's distance from the centre")
    return [*pairs, (severity_of_centre, Assessment.centration_severity)]


def _measures() -> list[_Pair]:
    """Every measure under its own name, described as on the page of the scan; empty where it has no value."""
    return [
        (ExportColumn(name, _N, f"{group}: {words.name}. {words.meaning}", _unit(name, words.unit)),
         getattr(Assessment, name))
        for group, measures in MEASURES.items()
        for name, words in measures.items()
    ]  # fmt: skip


def _unit(name: str, unit: str) -> str:
    """A share is stored as a fraction, whatever the page makes of it."""
    return "" if name.endswith("_fraction") else unit


def _versions() -> list[_Pair]:
    return [
        (ExportColumn("model_name", _T, "Model whose assessment counts"), ModelVersion.name),
        (ExportColumn("model_version", _T, "Its version"), ModelVersion.version),
        (ExportColumn("model_weights_sha256", _T, "SHA-256 of its weights"), ModelVersion.weights_sha256),
        (ExportColumn("preprocessing", _T, "Version of the preprocessing"), ModelVersion.preprocessing),
        (ExportColumn("protocol_version", _I, "Protocol version under which it was judged"), ProtocolVersion.number),
        (ExportColumn("scored_at", _M, "When the model scored it (UTC)"), Assessment.scored_at),
    ]


_COUNTED = {
    RateMeasure.RECEIVED: "First captures received",
    RateMeasure.DECIDED: "Of these, every required slab is graded",
    RateMeasure.GRADABLE: "Of these, gradable",
    RateMeasure.FINAL_RECEIVED: "Expected scans of which anything was received",
    RateMeasure.FINAL_GRADABLE: "Of these, with a gradable capture by now",
    RateMeasure.REPEATED: "Captures taken again, graded",
    RateMeasure.REPEATED_GRADABLE: "Of these, gradable",
}


def rate_export(chosen: ScanFilter) -> Export:
    """The counts behind the rates under ``chosen``, by site, device, technician, software, scan type and week."""
    counts = all_counts()
    in_force = (
        select(func.max(ProtocolVersion.number))
        .where(ProtocolVersion.study_id == Site.study_id, func.date(ProtocolVersion.effective_at) <= counts.c.week_on)
        .scalar_subquery()
    )
    keys: list[_Pair] = [
        (ExportColumn("study", _T, "Code of the study"), Study.code),
        (ExportColumn("site", _T, "Code of the site"), Site.code),
        (ExportColumn("device", _T, "Code of the device"), Device.code),
        (ExportColumn("technician", _T, "Code of the technician; empty where not stated"), Technician.code),
        (ExportColumn("software_version", _T, "Software of the device"), counts.c.software_version),
        (ExportColumn("scan_type", _T, "Kind and nominal field"), counts.c.scan_type),
        (ExportColumn("week_on", ColumnKind.DAY, "Monday of the week of acquisition (UTC)"), counts.c.week_on),
        (ExportColumn("protocol_version", _I, "Protocol version in force on that Monday"), in_force),
    ]
    sums: list[_Pair] = [
        (ExportColumn(measure.value, _I, f"{meaning} (count)"),
         func.coalesce(func.sum(counts.c.n).filter(counts.c.measure == measure), 0))
        for measure, meaning in _COUNTED.items()
    ]  # fmt: skip
    statement = (
        select(*(column.label(described.name) for described, column in (*keys, *sums)))
        .select_from(counts)
        .join(Site, Site.id == counts.c.site_id)
        .join(Study, Study.id == Site.study_id)
        .join(Device, Device.id == counts.c.device_id)
        .outerjoin(Technician, Technician.id == counts.c.technician_id)
        .where(counts.c.measure.in_(tuple(_COUNTED)), *count_conditions(chosen, counts.c))
        .group_by(Study.code, Site.code, Site.study_id, Device.code, Technician.code, counts.c.software_version,
                  counts.c.scan_type, counts.c.week_on)
        .order_by(Study.code, Site.code, counts.c.week_on, Device.code, Technician.code, counts.c.software_version,
                  counts.c.scan_type)
    )  # fmt: skip
    return Export(tuple(described for described, _ in (*keys, *sums)), statement)
