"""What each page asks of the database: the same functions, with the page's own period, for measurements and tests.

A test compares this list with the pages' source, so a page cannot ask something that nobody has measured.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from core.store.accepted_check import read_model_grade, read_open_checks
from core.store.action import read_closed_actions, read_open_actions
from core.store.administration import list_studies
from core.store.alert import read_ended_alerts, read_open_alerts
from core.store.alert_delivery import read_latest_sendings, read_subscriptions
from core.store.audit_check import read_chain_status
from core.store.audit_trail import TrailFilter, TrailKind, read_people, read_trail
from core.store.batch import read_batch, read_batches, read_files, read_roster, read_sites
from core.store.batch_page import FileFilter, read_file_page
from core.store.calibration_mode import read_calibrated, reviewers_of_study
from core.store.capture_set import read_capture_set, slot_of
from core.store.cause import read_findings
from core.store.certificate import list_holders, read_certificates
from core.store.completeness import read_completeness, read_latest_visits, read_planned_visits, read_visits_with_gaps
from core.store.email_confirmation import read_own_address
from core.store.evidence import list_candidates
from core.store.example import read_examples
from core.store.first_pass import read_own_places
from core.store.graded_scan import Reference
from core.store.grading_view import read_progress, read_settled, read_to_settle
from core.store.mark import read_marks
from core.store.mask import list_rounds, read_lanes_to_draw, read_round, read_wanted
from core.store.masked_grade import read_scan_to_grade
from core.store.overview import read_overview
from core.store.own_certificate import read_own_certificates
from core.store.own_grading import read_own_progress, read_own_work
from core.store.protocol import read_protocols
from core.store.query_thread import read_thread
from core.store.queue_state import STUCK_STATES, read_lanes, read_scored_hours, read_stuck, read_totals
from core.store.re_evaluation import count_outcomes, list_scans, read_re_evaluation, read_re_evaluations
from core.store.report import read_reports
from core.store.report_schedule import list_addressees, read_schedules, read_sendings
from core.store.same_image import read_shared_images
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.store.scan_image import read_scan_images
from core.store.scan_score import read_scan_scores
from core.store.scan_view import read_scan
from core.store.signed_baseline import read_baseline_history
from core.store.tracker import (
    OPEN,
    TrackerFilter,
    list_owners,
    read_board,
    read_course,
    read_rounds,
    read_tracked,
    read_tracker,
)
from core.store.unit import UnitKind
from core.store.worker_process import read_hours, read_processes
from core.store.worklist import WorklistTab, read_worklist
from core.usecases.accept_in_bulk import propose_bulk
from core.usecases.check_calibration import check_calibration
from core.usecases.choose_masks import foresee_round
from core.usecases.compare_faz import FazBy, Magnification, compare_faz
from core.usecases.compare_grades import GroupBy, compare_grades
from core.usecases.compare_versions import compare_versions
from core.usecases.flag_sites import flag_sites
from core.usecases.follow_requests import follow_requests
from core.usecases.give_feedback import give_feedback
from core.usecases.judge_units import compare_units, visit_factor
from core.usecases.look_at_scan import look_at_scan
from core.usecases.look_at_unit import read_notes
from core.usecases.measure_acceptance import measure_acceptance
from core.usecases.page_model_questions import (
    API,
    devices_by_eye,
    fault_trend,
    faz_by_hand,
    finer_scans,
    models,
    overview_of_a_visit,
    trends_by_eye,
)
from core.usecases.page_visit import SOMEBODY, Question, Visit
from core.usecases.sign_baseline import propose_baseline, scope_of
from core.usecases.standardise_units import standardise_units
from core.usecases.submit_batch import read_receipt
from core.usecases.watch_inputs import watch_inputs
from core.usecases.watch_units import watch_units
from core.values import NotComputable
from core.vocabulary import ReasonCode, ReportKind, ScanKind, Slab


def _overview(session: Session, visit: Visit, *, weeks: int = 26) -> None:
    chosen = visit.weeks(weeks)
    read_filter_choices(session, ScanFilter())
    overview = read_overview(session, chosen, today=visit.today)
    read_marks(session, chosen)
    read_shared_images(session, chosen)
    patients = {site.id: site.patients for site in overview.sites}
    flag_sites(session, chosen, today=visit.today, now=visit.now, patients=patients)


def _sites(session: Session, visit: Visit, *, kind: UnitKind, is_standardised: bool = False) -> None:
    chosen = visit.weeks(26)
    read_filter_choices(session, ScanFilter())
    comparison = compare_units(session, chosen, kind)
    if is_standardised and comparison.funnel is not None:
        standardise_units(session, chosen, comparison, today=visit.today)
    read_notes(session, kind, study_id=None)


def _strips(session: Session, visit: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    read_scan_scores(session, visit.weeks(26))


def _trends(session: Session, visit: Visit, *, kind: UnitKind) -> None:
    chosen = visit.weeks(52)
    read_filter_choices(session, ScanFilter())
    watch_units(session, chosen, kind, today=visit.today)
    read_marks(session, chosen)
    scope = scope_of(session, chosen)
    if not isinstance(scope, NotComputable):
        read_baseline_history(session, scope)
        starts_on = visit.today - timedelta(weeks=50)
        propose_baseline(session, chosen, scope, starts_on=starts_on, ends_on=starts_on + timedelta(weeks=26))


def _why(session: Session, visit: Visit, *, scan_type: str | None = None) -> None:
    read_filter_choices(session, ScanFilter())
    read_findings(session, replace(visit.weeks(26), scan_type=scan_type))


def _faz(session: Session, visit: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    chosen = replace(visit.weeks(26), slab=Slab.SUPERFICIAL, scan_type=visit.scan_type)
    compare_faz(session, chosen, "faz_area_mm2", FazBy.SITE, Magnification.NOMINAL)


def _agreement(session: Session, _: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    compare_grades(session, ScanFilter(), GroupBy.SITE)


def _watch(session: Session, visit: Visit) -> None:
    chosen = visit.weeks(13)
    read_filter_choices(session, ScanFilter())
    watch_inputs(session, chosen, starts_on=chosen.since or visit.today)


def _calibration(session: Session, _: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    check_calibration(session, ScanFilter(), Reference.MASKED)


def _versions(session: Session, visit: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    compare_versions(session, visit.weeks(13))


def _examples(session: Session, _: Visit, *, page: int = 0) -> None:
    read_filter_choices(session, ScanFilter())
    read_examples(session, ScanFilter(), ordinal=0, reason=ReasonCode.MP_MOTION, page=page)


def _grading(session: Session, visit: Visit) -> None:
    read_own_progress(session, today=visit.today)
    read_own_work(session, limit=2)
    read_to_settle(session, limit=2)


def _checks(session: Session, _: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    for check in read_open_checks(session, ScanFilter(), page=0, page_size=25).items[:1]:
        read_model_grade(session, check.scan_id)


def _grading_plan(session: Session, visit: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    read_protocols(session, [1])
    read_progress(session, ScanFilter(), today=visit.today, days=91)
    read_settled(session, ScanFilter())
    measure_acceptance(session, ScanFilter())
    read_calibrated(session, 1)
    reviewers_of_study(session, 1)


def _worklist(session: Session, visit: Visit, *, tab: WorklistTab, page: int = 0, is_site: bool = False) -> None:
    read_filter_choices(session, ScanFilter())
    read_worklist(session, ScanFilter(), tab, today=visit.today, page=page, is_site=is_site, reader_id=SOMEBODY.user_id)
    read_open_actions(session, study_id=None, site_id=None)


def _tracker(session: Session, visit: Visit, *, is_board: bool = False) -> None:
    chosen, wanted = visit.weeks(26), TrackerFilter()
    read_filter_choices(session, ScanFilter())
    if is_board:
        read_board(session, chosen, wanted, today=visit.today, states=OPEN, n=8)
    found = read_tracker(session, chosen, wanted, today=visit.today, page=1, page_size=25)
    for item in found.items[:1]:
        read_tracked(session, [item.id])
        list_owners(session, item.site_id)
        _captures(session, item.acquisition_id)
    follow_requests(session, chosen, now=visit.now, factor=visit_factor(session, chosen))


def _captures(session: Session, acquisition_id: int) -> None:
    slot_id = slot_of(session, acquisition_id)
    assert slot_id is not None, "the person sees the capture"
    read_capture_set(session, slot_id)
    read_course(session, [each.id for each in read_rounds(session, slot_id)])


def _feedback(session: Session, visit: Visit) -> None:
    sites = [choice.id for choice in read_filter_choices(session, ScanFilter()).sites]
    place = read_own_places(session, SOMEBODY.user_id or 0, sites[:1])[0]
    chosen = visit.weeks(26)
    give_feedback(session, place, since=chosen.since or visit.today, until=chosen.until or visit.today)
    read_own_certificates(session, 1)


def _scan(session: Session, visit: Visit) -> None:
    view = read_scan(session, visit.scan_id)
    assert view is not None, "the visit's person may see it"
    look_at_scan(session, view, actor=SOMEBODY, chosen=ScanFilter(), tab=WorklistTab.TO_DECIDE, today=visit.today)
    read_scan_to_grade(session, visit.scan_id)
    read_scan_images(session, visit.scan_id)
    read_thread(session, visit.scan_id, reader_id=SOMEBODY.user_id)


def _bulk(session: Session, visit: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    propose_bulk(session, actor=SOMEBODY, chosen=ScanFilter(), today=visit.today)


def _upload(session: Session, _: Visit) -> None:
    read_sites(session)
    read_batches(session)


def _receipt(session: Session, visit: Visit) -> None:
    read_roster(session, read_batch(session, visit.batch_id).site.site_id)
    read_files(session, visit.batch_id)
    read_receipt(session, visit.batch_id)


def _uploads(session: Session, visit: Visit) -> None:
    read_batches(session, uploaded_by_id=1)
    read_batches(session, batch_id=visit.batch_id, limit=1)
    for wanted in FileFilter:
        read_file_page(session, visit.batch_id, wanted=wanted, limit=100, offset=100)


def _reports(session: Session, _: Visit) -> None:
    read_sites(session)
    rows = read_reports(session, limit=20)
    read_sendings(session, [row.id for row in rows])
    read_schedules(session)
    for site in read_sites(session)[:1]:
        list_addressees(session, ReportKind.SITE, study_id=site.study_id, site_id=site.site_id)


def _alerts(session: Session, visit: Visit) -> None:
    read_open_alerts(session)
    read_ended_alerts(session, after=visit.now - timedelta(days=14), limit=100)
    read_filter_choices(session, ScanFilter())
    read_own_address(session)
    read_subscriptions(session)
    read_latest_sendings(session)


def _actions(session: Session, _: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    read_open_actions(session, study_id=None, site_id=None)
    read_closed_actions(session, study_id=None, site_id=None, limit=50)


def _audit(session: Session, visit: Visit, *, kind: TrailKind) -> None:
    read_chain_status(session)
    studies = read_filter_choices(session, ScanFilter()).studies
    read_people(session)
    study_id = studies[0].id if studies else 0
    read_trail(session, TrailFilter(study_id=study_id, kind=kind, since=visit.now - timedelta(days=30)), limit=51)


def _completeness(session: Session, visit: Visit, *, read: Callable[..., object], page: int = 0) -> None:
    read_filter_choices(session, ScanFilter())
    read_completeness(session, ScanFilter(), today=visit.today)
    moment = {} if read is read_latest_visits else {"today": visit.today}
    read(session, ScanFilter(), page=page, page_size=25, **moment)


def _certificates(session: Session, _: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    read_certificates(session, study_id=None, site_id=None)
    read_certificates(session, study_id=None, site_id=None, is_history=True)
    for study in list_studies(session):
        holders = list_holders(session, study.id)
        for holder in (*holders[:1], *holders[-1:]):  # a device and a technician
            list_candidates(session, holder, ScanKind.OCTA_ENFACE)


def _annotate(session: Session, _: Visit) -> None:
    read_filter_choices(session, ScanFilter())
    for study in list_studies(session):
        read_lanes_to_draw(session, study.id)
        list_rounds(session, study.id)
        foresee_round(session, study_id=study.id, kind=ScanKind.OCTA_ENFACE)
    read_round(session, 1)
    read_wanted(session, 1)


def _re_evaluation(session: Session, _: Visit) -> None:
    for study in list_studies(session):
        read_re_evaluations(session, study.id)
    count_outcomes(session, [1, 2])
    read_re_evaluation(session, 1)
    list_scans(session, 1)


def _queue(session: Session, visit: Visit) -> None:
    since = visit.now - timedelta(days=1)
    read_lanes(session)
    read_scored_hours(session, since=since)
    read_processes(session, since=since)
    read_hours(session, since=since)
    read_stuck(session, STUCK_STATES)
    read_totals(session)


PAGES: dict[str, Question] = {
    **API,
    "My uploads": _uploads,
    "Reports": _reports,
    "Overview": _overview,
    "Overview, 52 weeks": partial(_overview, weeks=52),
    "Sites & devices, sites": partial(_sites, kind=UnitKind.SITE),
    "Sites & devices, devices": partial(_sites, kind=UnitKind.DEVICE),
    "Sites & devices, software": partial(_sites, kind=UnitKind.SOFTWARE),
    "Sites & devices, technicians": partial(_sites, kind=UnitKind.TECHNICIAN),
    "Sites & devices, standardised": partial(_sites, kind=UnitKind.SITE, is_standardised=True),
    "Sites & devices, scan by scan": _strips,
    "Trends, sites": partial(_trends, kind=UnitKind.SITE),
    "Trends, devices": partial(_trends, kind=UnitKind.DEVICE),
    "Trends, a fault by site": partial(fault_trend, kind=UnitKind.SITE),
    "Trends, a fault by device": partial(fault_trend, kind=UnitKind.DEVICE),
    "Overview, a visit of one site": overview_of_a_visit,
    "Sites & devices, an eye at one site": devices_by_eye,
    "Trends, an eye at one site": trends_by_eye,
    "Scan by scan, one visit": finer_scans,
    "Why scans fail": _why,
    "Why scans fail, one type": partial(_why, scan_type="octa-enface 3x3"),
    "FAZ": _faz,
    "Agreement": _agreement,
    "Agreement, FAZ by hand": faz_by_hand,
    "Model & data watch, drift": _watch,
    "Model & data watch, calibration": _calibration,
    "Model & data watch, versions": _versions,
    "Examples": _examples,
    "Examples, page 20": partial(_examples, page=19),
    "Grading": _grading,
    "Grading, checks": _checks,
    "Grading, plan": _grading_plan,
    "Worklist, to decide": partial(_worklist, tab=WorklistTab.TO_DECIDE),
    "Worklist, to be taken again": partial(_worklist, tab=WorklistTab.REACQUIRE, page=1),
    "Worklist of a site, reacquire now": partial(_worklist, tab=WorklistTab.REACQUIRE, is_site=True),
    "Worklist of a site, waiting for result": partial(_worklist, tab=WorklistTab.RESULT, is_site=True),
    "Tracker": _tracker,
    "Tracker, board": partial(_tracker, is_board=True),
    "My feedback": _feedback,
    "Scan": _scan,
    "Accept in bulk": _bulk,
    "Upload": _upload,
    "Upload, receipt": _receipt,
    "Alerts": _alerts,
    "Actions": _actions,
    "Completeness, missing": partial(_completeness, read=read_visits_with_gaps),
    "Completeness, planned": partial(_completeness, read=read_planned_visits),
    "Completeness, all visits": partial(_completeness, read=read_latest_visits, page=1),
    "Certificates": _certificates,
    "Annotate next": _annotate,
    "Models": models,
    "Admin, re-evaluation": _re_evaluation,
    "Queue": _queue,
    "Audit": partial(_audit, kind=TrailKind.ALL),
    "Audit, signatures": partial(_audit, kind=TrailKind.SIGNATURES),
}
"""Page, and where it has several views, which of them -> what it asks."""
