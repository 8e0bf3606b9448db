"""Drift of images and scores, calibration, model versions against each other."""

from datetime import timedelta

from fastapi import APIRouter

from core.clock import now
from core.statistics.calibration import Calibration
from core.statistics.drift import Drift
from core.store.histogram import Histograms
from core.usecases.check_calibration import CalibrationOf, check_calibration
from core.usecases.compare_versions import VersionComparison, Versions, compare_versions
from core.usecases.watch_inputs import watch_inputs
from core.values import NotComputable
from dashboard.api.documents.watch import (
    BinDocument,
    CalibrationDocument,
    CalibrationOfDocument,
    ChangedScanDocument,
    CountingVersionDocument,
    DeviceDriftDocument,
    DriftDocument,
    HistogramsDocument,
    IndexBinDocument,
    InputWatchDocument,
    MaybeDriftDocument,
    ReliabilityDocument,
    VerdictChangeDocument,
    VersionComparisonDocument,
    VersionsDocument,
)
from dashboard.api.filters import CalibrationAsked, RatesAsked, ScansAsked
from dashboard.api.guard import RateReader
from dashboard.api.routers.quality import agreement_found
from dashboard.filters import Period
from dashboard.navigation import COMPARERS

router = APIRouter(tags=["watch"])

N_TENTHS = 10


@router.get("/watch/inputs")
def read_inputs(asked: RatesAsked, caller: RateReader) -> InputWatchDocument:
    """Scores and device indices of this span against the year before. 13 weeks unless asked."""
    caller.require_role(COMPARERS)
    chosen = asked.chosen(period=Period.WEEKS_13)
    starts_on = chosen.since or now().date() - timedelta(weeks=13)
    with caller.open_session() as session:
        found = watch_inputs(session, chosen, starts_on=starts_on)
    return InputWatchDocument(
        as_of=found.as_of,
        starts_on=found.starts_on,
        before=_histograms(found.before),
        now=_histograms(found.now),
        scores=_drift(found.scores),
        devices=[
            DeviceDriftDocument(
                id=each.device.id,
                code=each.device.code,
                site_code=each.device.site_code,
                model=each.device.model,
                level=each.level,
                is_judged=each.is_judged,
                scores=_drift(each.scores),
                index=_drift(each.index),
            )
            for each in found.devices
        ],
    )


@router.get("/watch/calibration")
def read_calibration(asked: CalibrationAsked, caller: RateReader) -> CalibrationDocument:
    """Whether scans called ungradable with a probability are so as often, by device."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        found = check_calibration(session, asked.chosen(), asked.reference)
    return CalibrationDocument(
        as_of=found.as_of,
        reference=found.reference,
        is_cut=found.is_cut,
        whole=_calibration(found.all),
        devices=[_calibration(each) for each in found.devices],
    )


@router.get("/watch/versions")
def read_versions(asked: ScansAsked, caller: RateReader) -> VersionsDocument:
    """Model versions that scored the same scans, against the one that counts. 13 weeks unless asked."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        return versions_document(compare_versions(session, asked.chosen(period=Period.WEEKS_13)))


def versions_document(found: Versions) -> VersionsDocument:
    """The document of versions compared with what counts."""
    return VersionsDocument(
        as_of=found.as_of,
        per_device=found.per_device,
        counting=[CountingVersionDocument(name=name, n_scans=n) for name, n in found.counting],
        comparisons=[_comparison(each) for each in found.comparisons],
    )


def _histograms(found: Histograms) -> HistogramsDocument:
    return HistogramsDocument(
        n_slabs=found.n_slabs,
        scores=[BinDocument(starts_at=tenth / N_TENTHS, n=n) for tenth, n in sorted(found.scores.items())],
        indices=[
            IndexBinDocument(index=name, starts_at=start, n=n) for (name, start), n in sorted(found.indices.items())
        ],
        n_abstained=found.abstained,
        n_strangers=found.strangers,
    )


def _drift(found: Drift | NotComputable) -> MaybeDriftDocument:
    if isinstance(found, NotComputable):
        return MaybeDriftDocument(found=None, not_computable=found.reason)
    return MaybeDriftDocument(found=DriftDocument.model_validate(found), not_computable=None)


def _calibration(of: CalibrationOf) -> CalibrationOfDocument:
    found = of.found
    return CalibrationOfDocument(
        name=of.name,
        device_id=of.device_id,
        n_scans=of.n_scans,
        n_patients=of.n_patients,
        predicted=found.predicted if isinstance(found, Calibration) else found,
        observed=found.observed if isinstance(found, Calibration) else found,
        excess=found.excess if isinstance(found, Calibration) else found,
        slope=found.slope if isinstance(found, Calibration) else found,
        error=of.error,
        is_off=of.is_off,
        points=[ReliabilityDocument.model_validate(point) for point in of.points],
    )


def _comparison(each: VersionComparison) -> VersionComparisonDocument:
    return VersionComparisonDocument(
        champion=each.champion,
        challenger=each.challenger,
        n_scans=each.n_scans,
        n_silent=each.n_silent,
        is_of_likeliest=each.is_of_likeliest,
        grades=None if isinstance(each.grades, NotComputable) else agreement_found(each.grades),
        not_computable=each.grades.reason if isinstance(each.grades, NotComputable) else None,
        verdicts=[
            VerdictChangeDocument(champion=first, challenger=second, n=n)
            for (first, second), n in sorted(each.verdicts.items())
        ],
        changed=each.changed,
        changes=[
            ChangedScanDocument(
                scan_id=pair.scan_id,
                site_code=pair.site_code,
                device_code=pair.device_code,
                slab=pair.slab,
                champion_ordinal=pair.champion.ordinal,
                challenger_ordinal=pair.challenger.ordinal,
            )
            for pair in each.changes
        ],
    )
