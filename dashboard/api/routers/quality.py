"""Why scans fail, the foveal avascular zone, and agreement of model and people."""

from dataclasses import replace

from fastapi import APIRouter

from core.measures.words import FAZ, MEASURES
from core.policy.reasons import REASON_TEXTS
from core.statistics.agreement_intervals import Agreement
from core.statistics.means import PairedDifferences
from core.store.cause import FindingCounts, read_findings
from core.usecases.compare_faz import FazComparison, FazPairs, FazPoint, compare_faz
from core.usecases.compare_grades import compare_grades
from core.values import NotComputable
from core.vocabulary import Slab
from dashboard.api.documents.quality import (
    AgreementDocument,
    AgreementFoundDocument,
    AgreementGroupDocument,
    ArtifactCountDocument,
    CauseCountsDocument,
    CauseDocument,
    CausesDocument,
    DisputedDocument,
    FazDocument,
    FazGroupDocument,
    FazPairsDocument,
    FazPointDocument,
    GradeMeanDocument,
    GroupCausesDocument,
    MissingDocument,
    NormDocument,
    ScaleSourceDocument,
)
from dashboard.api.documents.rates import FIRST_CAPTURES
from dashboard.api.filters import AgreementAsked, FazAsked, RatesAsked
from dashboard.api.guard import RateReader
from dashboard.filters import Period
from dashboard.navigation import COMPARERS, JUDGES

router = APIRouter(tags=["quality"])

DEFAULT_SLAB = Slab.SUPERFICIAL
DEFAULT_TYPE = "octa-enface 3x3"


@router.get("/causes")
def read_causes(asked: RatesAsked, caller: RateReader) -> CausesDocument:
    """Causes of ungradable first captures, and artifacts, by site and device. 26 weeks unless asked."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        found = read_findings(session, asked.chosen(period=Period.WEEKS_26))
    return CausesDocument(
        as_of=found.as_of,
        unit=FIRST_CAPTURES,
        whole=cause_counts(found.all),
        sites=[
            GroupCausesDocument(id=each.id, code=each.code, counts=cause_counts(each.counts)) for each in found.sites
        ],
        devices=[
            GroupCausesDocument(id=each.id, code=each.code, counts=cause_counts(each.counts)) for each in found.devices
        ],
    )


@router.get("/faz")
def read_faz_comparison(asked: FazAsked, caller: RateReader) -> FazDocument:
    """One metric of the foveal avascular zone by site or device, eye, visit and grade. 26 weeks unless asked.

    Of one slab and field at a time (superficial, `octa-enface 3x3` unless asked): each shows another zone.
    """
    caller.require_role(COMPARERS)
    chosen = asked.chosen(period=Period.WEEKS_26)
    chosen = replace(chosen, slab=asked.slab or DEFAULT_SLAB, scan_type=asked.type or DEFAULT_TYPE)
    with caller.open_session() as session:
        return _faz(compare_faz(session, chosen, asked.metric.value, asked.group, asked.scale))


@router.get("/agreement")
def read_agreement(asked: AgreementAsked, caller: RateReader) -> AgreementDocument:
    """Masked grades against the model's and against each other."""
    caller.require_role(JUDGES)
    with caller.open_session() as session:
        found = compare_grades(session, asked.chosen(), asked.group)
    return AgreementDocument(
        as_of=found.as_of,
        is_cut=found.is_cut,
        n_model_silent=found.n_model_silent,
        model=_agreement("model and people", None, found.model),
        people=_agreement("people", None, found.people),
        groups=[_agreement(each.name, each.n_pairs, each.found) for each in found.groups],
        disputed=[
            DisputedDocument(
                scan_id=scan.scan_id,
                site_code=scan.site_code,
                device_code=scan.device_code,
                slab=scan.slab,
                model_ordinal=scan.model_ordinal,
                ordinals=[ordinal for _, ordinal in scan.grades],
            )
            for scan in found.disputed
        ],
    )


def cause_counts(counts: FindingCounts) -> CauseCountsDocument:
    """The document of causes and artifacts."""
    codes = sorted({*counts.causes, *counts.first_causes}, key=lambda code: (-counts.first_causes.get(code, 0), code))
    return CauseCountsDocument(
        n_decided=counts.decided,
        n_ungradable=counts.failed,
        n_repeated=counts.repeated,
        n_repeated_gradable=counts.repeated_gradable,
        causes=[
            CauseDocument(
                code=code,
                text=REASON_TEXTS[code].text,
                remedy=REASON_TEXTS[code].remedy,
                operator_fixable=REASON_TEXTS[code].operator_fixable,
                n_first=counts.first_causes.get(code, 0),
                n_any=counts.causes.get(code, 0),
            )
            for code in codes
        ],
        artifacts=[
            ArtifactCountDocument(artifact=artifact, severity=severity, n=n)
            for (artifact, severity), n in sorted(counts.artifacts.items())
        ],
    )


def _faz(found: FazComparison) -> FazDocument:
    return FazDocument(
        as_of=found.as_of,
        metric=found.column,
        unit=MEASURES[FAZ][found.column].unit,
        n_scans=found.n_scans,
        n_ungradable=found.n_ungradable,
        n_with_axial_length=found.n_with_axial_length,
        is_cut=found.is_cut,
        per_device=found.per_device,
        norm=NormDocument.model_validate(found.norm) if found.norm else None,
        groups=[
            FazGroupDocument(
                name=group.name,
                n_scans=len(group.points),
                n_patients=group.n_patients,
                quartiles=group.quartiles,
                mean=group.mean,
                n_outliers=group.n_outliers,
            )
            for group in found.groups
        ],
        n_groups=found.n_groups,
        points=[_faz_point(point) for point in found.points],
        cut_off=[reading.scan_id for reading in found.cut_off],
        pairs=[_faz_pairs(pairs) for pairs in found.pairs],
        grades=[
            GradeMeanDocument(
                ordinal=each.ordinal,
                n_scans=len(each.values),
                n_patients=each.n_patients,
                mean=each.mean,
            )
            for each in found.effect.grades
        ],
        effect_ungradable=found.effect.ungradable,
        effect_middle=found.effect.middle,
        missing=[MissingDocument(reason=reason, n_scans=n) for reason, n in found.missing.items()],
        sources=[ScaleSourceDocument(source=source, n_scans=n) for source, n in found.sources.items()],
    )


def _faz_point(point: FazPoint) -> FazPointDocument:
    reading = point.reading
    return FazPointDocument(
        scan_id=reading.scan_id,
        subject_code=reading.subject_code,
        site_code=reading.site_code,
        device_code=reading.device_code,
        laterality=reading.laterality,
        acquired_at=reading.acquired_at,
        ordinal=reading.ordinal,
        value=point.value,
        z=point.z,
        is_outlier=point.is_outlier,
    )


def _faz_pairs(pairs: FazPairs) -> FazPairsDocument:
    found = pairs.found
    return FazPairsDocument(
        kind=pairs.kind,
        n_pairs=len(pairs.pairs),
        bias=found.bias if isinstance(found, PairedDifferences) else found,
        repeatability=found.repeatability if isinstance(found, PairedDifferences) else found,
    )


def _agreement(name: str, n_pairs: int | None, found: Agreement | NotComputable) -> AgreementGroupDocument:
    if isinstance(found, NotComputable):
        return AgreementGroupDocument(name=name, n_pairs=n_pairs or 0, found=None, not_computable=found.reason)
    n = int(found.confusion.sum()) if n_pairs is None else n_pairs
    return AgreementGroupDocument(name=name, n_pairs=n, found=agreement_found(found), not_computable=None)


def agreement_found(found: Agreement) -> AgreementFoundDocument:
    """The document of an agreement that could be computed."""
    return AgreementFoundDocument(
        confusion=found.confusion.tolist(),
        percent=found.percent,
        kappa=found.kappa,
        ac1=found.ac1,
        n_scans=found.n_scans,
        n_patients=found.n_patients,
    )
