"""What the page Models, the trend of a fault, FAZ by hand and the finer filters ask; a part of page_questions."""

from dataclasses import replace

from sqlalchemy.orm import Session

from core.store.administration import list_studies
from core.store.example import Fault
from core.store.finer_choice import read_finer_choices
from core.store.model_activation import list_device_models, read_activations
from core.store.model_version import list_model_versions
from core.store.overview import read_overview
from core.store.rescored_pair import read_rescored_pairs
from core.store.rescoring import count_scans, list_failures, read_rescoring, read_rescorings
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.store.scan_score import read_scan_scores
from core.store.unit import UnitKind
from core.usecases.compare_findings import FIGURES, compare_findings
from core.usecases.compare_outlines import compare_outlines
from core.usecases.judge_units import compare_units
from core.usecases.page_visit import Visit
from core.usecases.watch_fault import watch_fault
from core.usecases.watch_fault_units import watch_fault_units
from core.usecases.watch_units import watch_units
from core.vocabulary import GradeSource, Laterality, Slab


def models(session: Session, _: Visit) -> None:
    """All three views, for every study in sight."""
    list_model_versions(session)
    for study in list_studies(session):
        read_activations(session, study.id)
        list_device_models(session, study.id)
        orders = [order.id for order in read_rescorings(session, study.id)]
        count_scans(session, orders)
    list_failures(session, 1)
    read_rescoring(session, 1)
    read_rescored_pairs(session, 1)
    for kind in FIGURES:
        compare_findings(session, 1, kind)


def fault_trend(session: Session, visit: Visit) -> None:
    """What the page Trends asks beside the trend of the ungradable."""
    watch_fault(session, visit.weeks(52), Fault.MOTION, today=visit.today)
    for kind in (UnitKind.SITE, UnitKind.DEVICE):
        watch_fault_units(session, visit.weeks(52), Fault.MOTION, kind, today=visit.today)


def faz_by_hand(session: Session, visit: Visit) -> None:
    """The view of the page Agreement; the sample of scans is a file asked for."""
    compare_outlines(session, ScanFilter(slab=Slab.SUPERFICIAL, scan_type=visit.scan_type), "faz_area_mm2")


def finer_counts(session: Session, visit: Visit) -> None:
    """A site's rates by what the counts do not tell apart: read capture by capture, of so many captures at most."""
    read_finer_choices(session, ScanFilter())
    sites = read_filter_choices(session, ScanFilter()).sites
    whole = replace(visit.weeks(26), site_id=sites[0].id if sites else None, visit_code="V1")
    read_overview(session, whole, today=visit.today)
    eye = replace(whole, visit_code=None, laterality=Laterality.OD, graded_by=GradeSource.MODEL, model_version_id=1)
    compare_units(session, eye, UnitKind.DEVICE)
    watch_units(session, eye, UnitKind.DEVICE, today=visit.today)


def finer_scans(session: Session, visit: Visit) -> None:
    """Single scans of a visit, of a model version and graded by the model."""
    chosen = replace(visit.weeks(26), visit_code="V1", graded_by=GradeSource.MODEL, model_version_id=1)
    read_scan_scores(session, chosen)
