"""One row of everything that the API names by an id, at one site: what a walk of its routes can ask about.

Import as `from named_rows import make_named_rows`. ``test_schema.py`` says when a route names something new.
"""

from datetime import timedelta

from builders import make_visit
from sqlalchemy.orm import Session

from core.clock import now
from core.database import tables
from core.policy.reasons import REASON_TEXTS
from core.vocabulary import ReasonCode, ScanKind

KIND = ScanKind.OCTA_ENFACE.value


def make_named_rows(session: Session, scan: tables.Scan, person_id: int) -> dict[str, int]:
    """Make them for a scored scan as that person's; parameter of a path -> id, fields of bodies and queries included."""
    site = session.get_one(tables.Site, scan.site_id)
    judged = session.get_one(tables.Assessment, scan.assessment_id)
    model = session.get_one(tables.ModelVersion, judged.model_version_id)
    version = session.get_one(tables.ProtocolVersion, judged.protocol_version_id)
    acquisition = session.get_one(tables.Acquisition, scan.acquisition_id)
    subject = session.get_one(tables.Subject, acquisition.subject_id)
    here, by = {"site_id": site.id}, {"study_id": site.study_id}
    visit = make_visit(session, subject, planned_on=now().date() + timedelta(days=9))
    file = tables.BatchFile(
        **here, batch_id=scan.batch_id, original_name="eye.png", size_bytes=1000, state="accepted", entry={},
        problems=[], scan_id=scan.id,
    )  # fmt: skip
    request = tables.ReacquisitionRequest(
        **here, acquisition_id=acquisition.id, scan_id=scan.id, state="requested",
        reason_code=ReasonCode.MP_MOTION.value, text="Motion.", remedy=REASON_TEXTS[ReasonCode.MP_MOTION].remedy,
        requested_by_id=person_id,
    )  # fmt: skip
    certificate = tables.Certificate(
        **here, kind=KIND, device_id=acquisition.device_id, state="requested", requested_by_id=person_id
    )
    bulk = tables.BulkReview(**by, reviewer_id=person_id, state="sampling", filters={}, seed=1)
    round_ = tables.MaskRound(**by, kind=KIND, step=1, rule={}, created_by_id=person_id)
    re_evaluation = tables.ReEvaluation(
        **by, protocol_version_id=version.id, reason="New borders.", requested_by_id=person_id, foreseen={"same": 1},
        state="done", ended_at=now(),
    )  # fmt: skip
    rescoring = tables.Rescoring(
        **by, kind=KIND, model_version_id=model.id, reason="A new version.", requested_by_id=person_id, state="waiting"
    )
    schedule = tables.ReportSchedule(
        **by, **here, kind="site", every="week", on_day=1, hour=6, n_weeks=13, next_at=now() + timedelta(days=3),
        created_by_id=person_id,
    )  # fmt: skip
    today = now().date()
    report = tables.Report(
        **by, **here, kind="site", since=today - timedelta(weeks=13), until=today, asked_by_id=person_id
    )
    rows = {
        "file_id": file, "request_id": request, "certificate_id": certificate, "bulk_id": bulk, "round_id": round_,
        "re_evaluation_id": re_evaluation, "rescoring_id": rescoring, "schedule_id": schedule, "report_id": report,
    }  # fmt: skip
    session.add_all(rows.values())
    session.flush()
    session.add(tables.BulkReviewScan(**here, bulk_review_id=bulk.id, scan_id=scan.id, seen_version=1, sample_number=1))
    session.add(tables.WantedMask(**here, round_id=round_.id, scan_id=scan.id, rank=1))
    session.add(tables.RescoringScan(**here, rescoring_id=rescoring.id, scan_id=scan.id, number=1, state="waiting"))
    session.flush()
    return {name: row.id for name, row in rows.items()} | {
        "scan_id": scan.id, "study_id": site.study_id, "site_id": site.id, "batch_id": scan.batch_id,
        "visit_id": visit.id, "model_id": model.id, "version_id": model.id, "device_id": acquisition.device_id,
    }  # fmt: skip
