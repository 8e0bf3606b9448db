"""What programs, Models, the trend of a fault, FAZ by hand and the finer filters ask; a part of page_questions."""

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from core.store.administration import list_studies
from core.store.batch import read_batches
from core.store.example import Fault, read_examples
from core.store.finer_choice import read_finer_choices
from core.store.mark import read_marks
from core.store.model_activation import list_device_models, read_activations
from core.store.model_version import list_model_versions
from core.store.overview import read_overview
from core.store.rescored_pair import read_rescored_pairs
from core.store.rescoring import count_scans, list_failures, read_rescoring, read_rescorings
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.store.scan_list import read_scan_list
from core.store.scan_score import read_scan_scores
from core.store.unit import UnitKind
from core.store.unit_week import read_unit_weeks
from core.usecases.compare_findings import FIGURES, compare_findings
from core.usecases.compare_outlines import compare_outlines
from core.usecases.judge_units import compare_units
from core.usecases.page_visit import Question, Visit
from core.usecases.watch_fault import watch_fault
from core.usecases.watch_fault_units import watch_fault_units
from core.usecases.watch_units import watch_units
from core.vocabulary import GradeSource, Laterality, ScanState, Slab


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


def fault_trend(session: Session, visit: Visit, *, kind: UnitKind) -> None:
    """What the page Trends asks where it shows a fault instead of the ungradable."""
    read_filter_choices(session, ScanFilter())
    watch_fault_units(session, visit.weeks(52), Fault.MOTION, kind, today=visit.today)
    watch_fault(session, visit.weeks(52), Fault.MOTION, today=visit.today)
    read_marks(session, visit.weeks(52))


def faz_by_hand(session: Session, visit: Visit) -> None:
    """The view of the page Agreement; the sample of scans is a file asked for."""
    compare_outlines(session, ScanFilter(slab=Slab.SUPERFICIAL, scan_type=visit.scan_type), "faz_area_mm2")


def overview_of_a_visit(session: Session, visit: Visit) -> None:
    """A site's rates by what the counts do not tell apart: read capture by capture, of so many captures at most."""
    read_overview(session, replace(_of_one_site(session, visit), visit_code="V1"), today=visit.today)


def devices_by_eye(session: Session, visit: Visit) -> None:
    """The same on the page Sites & devices."""
    compare_units(session, replace(_of_one_site(session, visit), **_OF_AN_EYE), UnitKind.DEVICE)


def trends_by_eye(session: Session, visit: Visit) -> None:
    """The same on the page Trends."""
    watch_units(session, replace(_of_one_site(session, visit), **_OF_AN_EYE), UnitKind.DEVICE, today=visit.today)


_OF_AN_EYE: dict[str, Any] = {"laterality": Laterality.OD, "graded_by": GradeSource.MODEL, "model_version_id": 1}


def _of_one_site(session: Session, visit: Visit) -> ScanFilter:
    """Half a year of the first site in sight, after what the filters ask to be drawn."""
    read_finer_choices(session, ScanFilter())
    sites = read_filter_choices(session, ScanFilter()).sites
    return replace(visit.weeks(26), site_id=sites[0].id if sites else None)


def finer_scans(session: Session, visit: Visit) -> None:
    """Single scans of a visit, of a model version and graded by the model."""
    chosen = replace(visit.weeks(26), visit_code="V1", graded_by=GradeSource.MODEL, model_version_id=1)
    read_scan_scores(session, chosen)


# What programs ask that no page does, a request each: lists from an id on, and every unit by week.
API: dict[str, Question] = {
    "API, scans": lambda session, _: read_scan_list(session, ScanFilter(), limit=500),
    "API, scans from one on": lambda session, visit: read_scan_list(
        session, ScanFilter(), before_id=visit.scan_id, limit=50
    ),
    "API, scans of a state and grade": lambda session, visit: read_scan_list(
        session, visit.weeks(26), state=ScanState.ACCEPTED, ordinal=0, limit=50
    ),
    "API, examples": lambda session, visit: read_examples(session, ScanFilter(), before_id=visit.scan_id, page_size=50),
    "API, uploads": lambda session, visit: read_batches(session, before_id=visit.batch_id, limit=51),
    "API, weeks of technicians": lambda session, visit: read_unit_weeks(session, visit.weeks(26), UnitKind.TECHNICIAN),
}
