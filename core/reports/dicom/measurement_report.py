"""Figures of one scan as a DICOM Structured Report by template TID 1500: FAZ metrics, grade, indices, artifacts."""

from collections.abc import Iterator, Mapping

from highdicom.seg import Segmentation
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegmentationFrame,
    SourceImageForMeasurementGroup,
    SourceImageForSegmentation,
    TrackingIdentifier,
)
from pydicom import Dataset

from core.reports.dicom import codes
from core.reports.dicom.segmentation import segment_number_of_faz
from core.reports.dicom.subject import (
    MANUFACTURER,
    DicomSubject,
    coding_schemes,
    complete,
    device_observer,
    eye_of,
    retina,
    source_dataset,
)
from core.store.scan_view import ArtifactMark
from core.values import Measure, Measured
from core.vocabulary import CoipsGrade

SERIES_NUMBER = 9102
_DIGITS = 16
"""Longest decimal string (PS3.5, 6.2)."""


def make_report(subject: DicomSubject, segmentation: Segmentation | None) -> ComprehensiveSR:
    """The report; with ``segmentation`` the FAZ's figures hang on its segment, else on the image."""
    source = source_dataset(subject)
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=device_observer(subject)),
        procedure_reported=codes.IMAGING,
        imaging_measurements=[*_faz_group(subject, segmentation), _scan_group(subject), *_artifact_groups(subject)],
    )
    evidence: list[Dataset] = [source] if segmentation is None else [source, segmentation]
    report = ComprehensiveSR(
        evidence=evidence,
        content=content,
        series_instance_uid=subject.uid("report series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=subject.uid("report"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        series_description="octaudit measurements",
        coding_schemes=coding_schemes(),
    )
    complete(report, subject)
    return report


def _faz_group(
    subject: DicomSubject, segmentation: Segmentation | None
) -> Iterator[PlanarROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations]:
    """The FAZ's metrics as the final grade releases them; nothing where they are withheld or none was found."""
    measured = _released(subject)
    figures = list(_measurements(measured, codes.FAZ_MEASURES))
    if not figures:
        return
    common = {
        "tracking_identifier": TrackingIdentifier(subject.uid("FAZ"), "Foveal avascular zone"),
        "finding_type": codes.FAZ,
        "finding_sites": _sites(subject),
        "algorithm_id": _algorithm(subject),
        "measurements": figures,
        "qualitative_evaluations": _scale_evaluation(subject),
    }
    number = None if segmentation is None else segment_number_of_faz(segmentation)
    if segmentation is None or number is None:
        yield MeasurementsAndQualitativeEvaluations(source_images=[_source_image(subject)], **common)  # type: ignore[arg-type]
        return
    yield PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=ReferencedSegmentationFrame(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            frame_number=number,  # one frame per segment, in their order
            segment_number=number,
            source_image=SourceImageForSegmentation(subject.reference.class_uid, subject.reference.instance_uid),
        ),
        **common,  # type: ignore[arg-type]
    )


def _scan_group(subject: DicomSubject) -> MeasurementsAndQualitativeEvaluations:
    """Grade, verdict, reasons and the measures of the whole image."""
    judged = subject.assessment
    figures = list(_measurements(_released(subject), codes.SCAN_MEASURES))
    share = judged.probabilities.get(CoipsGrade.UNGRADABLE.name.lower())
    if share is not None:
        figures.append(Measurement(name=codes.P_UNGRADABLE, value=_decimal(share), unit=codes.PROBABILITY))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(subject.uid("scan"), "Scan"),
        finding_sites=_sites(subject),
        algorithm_id=_algorithm(subject),
        measurements=figures,
        qualitative_evaluations=list(_evaluations(subject)),
        source_images=[_source_image(subject)],
    )


def _evaluations(subject: DicomSubject) -> Iterator[QualitativeEvaluation]:
    view, judged = subject.view, subject.assessment
    by_person = view.human_ordinal is not None
    final = judged.ordinal if view.human_ordinal is None else view.human_ordinal
    if by_person or not judged.is_abstained:
        yield QualitativeEvaluation(codes.QUALITY_GRADE, codes.GRADES[CoipsGrade(final)])
        yield QualitativeEvaluation(codes.IS_GRADED_BY_PERSON, codes.PERSON if by_person else codes.MODEL)
    yield QualitativeEvaluation(codes.MODEL_GRADE, codes.GRADES[CoipsGrade(judged.ordinal)])
    if judged.is_abstained:
        yield QualitativeEvaluation(codes.ABSTAINED, codes.YES)
    yield QualitativeEvaluation(codes.VERDICT, codes.VERDICTS[view.final_verdict or judged.verdict])
    for reason in judged.reasons:
        yield QualitativeEvaluation(codes.REASON, codes.reason_concept(reason.code))


def _artifact_groups(subject: DicomSubject) -> Iterator[MeasurementsAndQualitativeEvaluations]:
    for mark in subject.assessment.artifacts:
        yield MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                subject.uid(f"artifact {mark.type}"), codes.ARTIFACTS[mark.type].meaning
            ),
            finding_type=codes.ARTIFACTS[mark.type],
            finding_category=codes.IMAGE_ARTIFACT,
            finding_sites=_sites(subject),
            algorithm_id=_algorithm(subject),
            measurements=list(_shares(mark)),
            qualitative_evaluations=[QualitativeEvaluation(codes.SEVERITY, codes.SEVERITIES[mark.severity])],
            source_images=[_source_image(subject)],
        )


def _shares(mark: ArtifactMark) -> Iterator[Measurement]:
    yield Measurement(name=codes.AREA_SHARE, value=_decimal(mark.area_fraction), unit=codes.RATIO)
    if mark.line_fraction is not None:
        yield Measurement(name=codes.LINE_SHARE, value=_decimal(mark.line_fraction), unit=codes.RATIO)


def _released(subject: DicomSubject) -> dict[str, Measure]:
    return subject.assessment.released_measures(subject.view.human_ordinal)


def _measurements(
    measured: Mapping[str, Measure], wanted: Mapping[str, tuple[CodedConcept, CodedConcept]]
) -> Iterator[Measurement]:
    """What has a value; what could not be computed is left out, because TID 1500 has no place for a reason."""
    for column, (name, unit) in wanted.items():
        measure = measured.get(column)
        if isinstance(measure, Measured):
            yield Measurement(name=name, value=_decimal(measure.value), unit=unit)


def _decimal(value: float) -> float:
    """The value with as many digits as a decimal string holds."""
    digits = 10
    while len(f"{value:.{digits}g}") > _DIGITS:
        digits -= 1
    return float(f"{value:.{digits}g}")


def _scale_evaluation(subject: DicomSubject) -> list[QualitativeEvaluation]:
    scale = subject.view.scale
    if scale is None:
        return []
    return [QualitativeEvaluation(codes.SCALE_SOURCE, codes.SCALE_SOURCES[scale.source])]


def _sites(subject: DicomSubject) -> list[FindingSite]:
    return [FindingSite(anatomic_location=retina(), laterality=eye_of(subject))]


def _algorithm(subject: DicomSubject) -> AlgorithmIdentification:
    return AlgorithmIdentification(
        name=subject.assessment.model_name,
        version=subject.assessment.model_version,
        parameters=[
            f"weights sha256 {subject.assessment.weights_sha256}",
            f"protocol version {subject.assessment.protocol_number}",
        ],
    )


def _source_image(subject: DicomSubject) -> SourceImageForMeasurementGroup:
    return SourceImageForMeasurementGroup(subject.reference.class_uid, subject.reference.instance_uid)
