"""Certificates are asked for, judged by their evidence, outdated by software, and mark what is taken without one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from builders import make_acquisition, make_device, make_member, make_protocol_version, make_site, make_technician
from desk import Desk
from lane import GRADABLE, UNGRADABLE
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, UsageError
from core.policy.certification import add_months
from core.policy.protocol import Certification, Protocol
from core.store.access import PROGRAM, Actor
from core.store.alert import read_open_alerts
from core.store.certificate import (
    CertificateRow,
    DueCertificates,
    Holder,
    count_due,
    find_holder,
    read_certificates,
    read_steps,
)
from core.store.evidence import list_candidates
from core.store.scan_filter import ScanFilter
from core.usecases.act_on_unit import finish_action, suspend_device, suspend_technician
from core.usecases.administer_study import record_software_update
from core.usecases.certify import (
    grant_certificate,
    refuse_certificate,
    request_certificate,
    review_evidence,
    show_evidence,
)
from core.usecases.raise_alerts import raise_alerts
from core.vocabulary import AlertKind, CertificateState, ReasonCode, Role, ScanKind, Verdict

KIND = ScanKind.OCTA_ENFACE


class Board:
    """A site with a device, a technician who logs in, and a manager who certifies."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        with session_scope(desk.owner) as session:
            site = desk.scene.site
            user, self.technician_token = make_member(session, Role.SITE_TECHNICIAN, site=site)
            self.manager = make_member(session, Role.MANAGER, site=site)[1]
            self.device_id = make_device(session, site, software_version="1.0").id
            self.technician_id = make_technician(session, site, user_id=user.id).id
            self.user_id = user.id

    @contextmanager
    def person(self, token: str | None = None) -> Iterator[tuple[Session, Actor]]:
        with self.desk.as_person(token or self.manager) as (session, actor):
            yield session, actor

    def holder(self, session: Session, **which: int) -> Holder:
        found = find_holder(session, **which or {"device_id": self.device_id})
        assert found is not None
        return found

    def take(self, order: int = GRADABLE, **changes: Any) -> int:
        """A scan by the board's device and technician, captured a moment ago."""
        with session_scope(self.desk.owner) as session:
            device = session.get_one(tables.Device, self.device_id)
            values = {"technician_id": self.technician_id, "software_version": "1.0", "acquired_at": now()}
            capture = make_acquisition(session, self.desk.scene.site, device=device, **values | changes)
        return self.desk.score(order, acquisition=capture)

    def ask(self, scan_ids: list[int], token: str | None = None, **which: int) -> int:
        with self.person(token) as (session, actor):
            return request_certificate(
                session, actor=actor, holder=self.holder(session, **which), kind=KIND, scan_ids=scan_ids
            )

    def certify(self, **which: int) -> int:
        """A certificate, asked for with three scans and granted."""
        certificate_id = self.ask([self.take() for _ in range(3)], **which)
        with self.person() as (session, actor):
            review_evidence(session, actor=actor, certificate_id=certificate_id)
            grant_certificate(session, actor=actor, certificate_id=certificate_id)
        return certificate_id

    def certificate(self, certificate_id: int) -> CertificateRow:
        with self.person() as (session, _):
            rows = {
                row.id: row
                for is_history in (False, True)
                for row in read_certificates(session, study_id=None, site_id=None, is_history=is_history)
            }
        return rows[certificate_id]

    def standing(self, certificate_id: int) -> CertificateState:
        return self.certificate(certificate_id).standing_on(now().date())

    def require(self) -> None:
        """From now on the protocol asks for certificates of both."""
        protocol = Protocol(certification=Certification(devices=True, technicians=True))
        with session_scope(self.desk.owner) as session:
            make_protocol_version(
                session, self.desk.scene.study, number=2, effective_at=now(),
                document=protocol.model_dump(mode="json"),
            )  # fmt: skip

    def codes(self, scan_id: int) -> list[str]:
        with session_scope(self.desk.owner) as session:
            assessment_id = session.get_one(tables.Scan, scan_id).assessment_id
            of_scan = select(tables.AssessmentReason.code).where(tables.AssessmentReason.assessment_id == assessment_id)
            return list(session.scalars(of_scan))


@pytest.fixture
def board(desk: Desk) -> Board:
    return Board(desk)


def test_a_certificate_goes_from_asking_to_granting_with_every_step_on_record(board: Board) -> None:
    certificate_id = board.certify()
    row = board.certificate(certificate_id)
    assert row.standing_on(now().date()) is CertificateState.CERTIFIED
    assert (row.software_version, row.n_evidence) == ("1.0", 3)
    assert row.expires_on == add_months(now().date(), Certification().validity_months)
    with board.person() as (session, _):
        steps = [step.state for step in read_steps(session, certificate_id)]
        actions = session.scalars(
            select(tables.AuditEvent.action)
            .where(tables.AuditEvent.entity == "certificate")
            .order_by(tables.AuditEvent.id)
        ).all()
    assert steps == [CertificateState.REQUESTED, CertificateState.UNDER_REVIEW, CertificateState.CERTIFIED]
    assert actions == [
        "certificate.requested", "certificate.evidence", "certificate.under_review", "certificate.certified",
    ]  # fmt: skip


def test_it_is_not_granted_before_the_evidence_was_looked_at_or_with_too_little(board: Board) -> None:
    certificate_id = board.ask([board.take(), board.take(), board.take(UNGRADABLE)])
    with board.person() as (session, actor):
        with pytest.raises(IllegalMoveError, match="nobody has looked at its evidence yet"):
            grant_certificate(session, actor=actor, certificate_id=certificate_id)
        review_evidence(session, actor=actor, certificate_id=certificate_id)
        with pytest.raises(IllegalMoveError, match="2 of the captures shown are gradable, and the protocol asks for 3"):
            grant_certificate(session, actor=actor, certificate_id=certificate_id)
        show_evidence(session, actor=actor, certificate_id=certificate_id, scan_ids=[(third := board.take())])
        grant_certificate(session, actor=actor, certificate_id=certificate_id)
        with pytest.raises(IllegalMoveError, match="cannot be granted: it was granted"):
            grant_certificate(session, actor=actor, certificate_id=certificate_id)
        with pytest.raises(IllegalMoveError, match="evidence is shown for one that was asked for"):
            show_evidence(session, actor=actor, certificate_id=certificate_id, scan_ids=[third])


def test_every_scan_that_cannot_be_shown_is_named_with_its_reason(board: Board) -> None:
    with session_scope(board.desk.owner) as session:
        other = make_device(session, board.desk.scene.site)
        capture = make_acquisition(session, board.desk.scene.site, device=other)
    elsewhere, newer = board.desk.score(GRADABLE, acquisition=capture), board.take(software_version="2.0")
    with pytest.raises(UsageError) as refused:
        board.ask([elsewhere, newer, 10**9])
    assert str(refused.value) == (
        f"Scan {elsewhere}: another device took it; Scan {newer}: it was taken by software 2.0, not 1.0; "
        f"Scan {10**9}: there is no such scan at this site. Leave these out, and show others."
    )


def test_candidates_are_the_gradable_scans_of_the_holder_by_its_software(board: Board) -> None:
    good = board.take()
    board.take(UNGRADABLE)
    board.take(software_version="0.9")
    with board.person() as (session, _):
        assert [scan.scan_id for scan in list_candidates(session, board.holder(session), KIND)] == [good]


def test_one_asking_of_a_holder_and_kind_is_open_at_a_time(board: Board) -> None:
    first = board.ask([])
    with pytest.raises(IllegalMoveError, match="is asked for already"):
        board.ask([])
    with board.person() as (session, actor):
        with pytest.raises(UsageError, match="Why is it refused"):
            refuse_certificate(session, actor=actor, certificate_id=first, reason=" ")
        refuse_certificate(session, actor=actor, certificate_id=first, reason="No scans were shown.")
    assert board.standing(first) is CertificateState.REFUSED
    assert board.ask([]) != first


def test_a_renewal_replaces_the_certificate_only_when_it_is_granted(board: Board) -> None:
    first = board.certify()
    renewal = board.ask([board.take() for _ in range(3)])
    assert board.standing(first) is CertificateState.CERTIFIED
    with board.person() as (session, actor):
        review_evidence(session, actor=actor, certificate_id=renewal)
        grant_certificate(session, actor=actor, certificate_id=renewal)
    assert board.standing(first) is CertificateState.REPLACED
    assert board.standing(renewal) is CertificateState.CERTIFIED


def test_what_must_be_renewed_is_counted_as_alerts_tell_of_it(board: Board) -> None:
    certificate_id, today = board.certify(), now().date()
    with board.person() as (session, _):
        expires_on = read_certificates(session, study_id=None, site_id=None)[0].expires_on
        assert expires_on is not None
        for days_left, ending, lapsed in ((31, 0, 0), (30, 1, 0), (0, 1, 0), (-1, 0, 1)):
            day = expires_on - timedelta(days=days_left)
            assert count_due(session, ScanFilter(), today=day) == DueCertificates(ending, lapsed), days_left
        last_day = expires_on
        assert count_due(session, ScanFilter(device_id=board.device_id), today=last_day).ending == 1
        assert count_due(session, ScanFilter(technician_id=board.technician_id), today=last_day).ending == 0
        assert count_due(session, ScanFilter(site_id=10**9), today=last_day).ending == 0
    board.take(software_version="2.0")
    assert board.standing(certificate_id) is CertificateState.RECHECK_DUE
    with board.person() as (session, _):
        assert count_due(session, ScanFilter(), today=today) == DueCertificates(0, 1)
    with session_scope(board.desk.owner) as session:
        session.get_one(tables.Device, board.device_id).deactivated_at = now()
    with board.person() as (session, _):
        assert count_due(session, ScanFilter(), today=today) == DueCertificates(0, 0)


def test_another_software_seen_in_a_scan_forces_a_new_check_from_that_capture_on(board: Board) -> None:
    certificate_id = board.certify()
    captured_at = now()
    scan_id = board.take(software_version="2.0", acquired_at=captured_at)
    row = board.certificate(certificate_id)
    assert (row.state, row.ended_at) == (CertificateState.RECHECK_DUE, captured_at)
    with board.person() as (session, _):
        last = read_steps(session, certificate_id)[-1]
    assert (last.who, last.note) == (None, f"Scan {scan_id} was taken by software 2.0.")


@pytest.mark.parametrize(
    "changes", [{"software_version": ""}, {"software_version": "0.9", "acquired_at": now() - timedelta(days=90)}]
)
def test_software_that_is_not_stated_or_older_than_the_certificate_says_nothing(
    board: Board, changes: dict[str, Any]
) -> None:
    certificate_id = board.certify()
    board.take(**changes)
    assert board.standing(certificate_id) is CertificateState.CERTIFIED


def test_an_update_that_is_noted_forces_a_new_check_and_the_old_asking_is_not_granted(board: Board) -> None:
    held = board.certify()
    asked = board.ask([board.take() for _ in range(3)])
    with session_scope(board.desk.owner) as session:
        record_software_update(session, actor=PROGRAM, device_id=board.device_id, software_version="2.0")
    assert board.standing(held) is CertificateState.RECHECK_DUE
    with board.person() as (session, actor):
        review_evidence(session, actor=actor, certificate_id=asked)
        with pytest.raises(IllegalMoveError, match=r"is for software 1\.0, and D\w+ runs 2\.0"):
            grant_certificate(session, actor=actor, certificate_id=asked)


def test_scans_without_a_certificate_are_taken_and_marked_where_the_protocol_asks_for_one(board: Board) -> None:
    board.require()
    marked = board.take()
    assert board.codes(marked) == [ReasonCode.UNCERTIFIED]
    assert board.desk.stands(marked)[1] == Verdict.REVIEW
    board_device_only = board.take()
    assert board.codes(board_device_only) == [ReasonCode.UNCERTIFIED]


def test_scans_of_the_certified_are_not_marked_and_those_under_suspension_are(board: Board) -> None:
    board.certify()
    board.certify(technician_id=board.technician_id)
    board.require()
    assert board.codes(board.take()) == []
    assert board.codes(board.take(technician_id=None)) == [ReasonCode.UNCERTIFIED]
    with board.person() as (session, actor):
        action = suspend_technician(session, actor=actor, technician_id=board.technician_id, reason="Repeated motion.")
    assert board.codes(board.take()) == [ReasonCode.UNCERTIFIED]
    with board.person() as (session, actor):
        finish_action(session, actor=actor, action_id=action, evidence="Retrained and shown three scans.")
    assert board.codes(board.take()) == []
    assert board.codes(board.take(software_version="9.9")) == [ReasonCode.UNCERTIFIED]


def test_studies_that_do_not_ask_for_certificates_are_not_flooded(board: Board) -> None:
    assert board.codes(board.take()) == []


def test_a_suspension_is_one_truth_with_the_action_about_the_device(board: Board) -> None:
    certificate_id = board.certify()
    with board.person() as (session, actor):
        action = suspend_device(session, actor=actor, device_id=board.device_id, reason="The fan is loud.")
        with pytest.raises(IllegalMoveError, match="is suspended since"):
            suspend_device(session, actor=actor, device_id=board.device_id, reason="Again.")
    assert board.standing(certificate_id) is CertificateState.SUSPENDED
    renewal = board.ask([board.take() for _ in range(3)])
    with board.person() as (session, actor):
        review_evidence(session, actor=actor, certificate_id=renewal)
        with pytest.raises(IllegalMoveError, match="is suspended"):
            grant_certificate(session, actor=actor, certificate_id=renewal)
        finish_action(session, actor=actor, action_id=action, evidence="The fan was replaced.")
    assert board.standing(certificate_id) is CertificateState.CERTIFIED


def test_a_site_asks_for_its_devices_and_each_technician_for_the_own_person(board: Board) -> None:
    board.ask([board.take()], token=board.technician_token)
    own = board.ask([board.take()], token=board.technician_token, technician_id=board.technician_id)
    with session_scope(board.desk.owner) as session:
        colleague = make_technician(session, board.desk.scene.site).id
        stranger = make_member(session, Role.SITE_TECHNICIAN, site=board.desk.scene.site)[1]
    with pytest.raises(NotAllowedError):
        board.ask([], token=board.technician_token, technician_id=colleague)
    with board.person(board.technician_token) as (session, actor), pytest.raises(NotAllowedError):
        review_evidence(session, actor=actor, certificate_id=own)
    assert _seen(board, board.technician_token) == {board.technician_id, None}
    assert _seen(board, stranger) == {None}  # the device's, not the colleague's
    with session_scope(board.desk.owner) as session:
        elsewhere = make_member(session, Role.MANAGER, site=make_site(session))[1]
    assert _seen(board, elsewhere) == set()


def _seen(board: Board, token: str) -> set[int | None]:
    """Technicians whose certificates a person sees; None stands for a device's."""
    with board.person(token) as (session, _):
        return {row.technician_id for row in read_certificates(session, study_id=None, site_id=None)}


def test_the_dashboards_role_cannot_grant_around_the_rules(board: Board) -> None:
    certificate_id = board.ask([board.take()], token=board.technician_token)
    with board.person(board.technician_token) as (session, _):
        moved = session.execute(
            tables.Certificate.__table__.update()
            .where(tables.Certificate.id == certificate_id)
            .values(state="under_review")
        )
        assert moved.rowcount == 0


def test_a_certificate_that_ends_soon_or_must_be_checked_anew_opens_one_alert(board: Board) -> None:
    expiring = board.ask([board.take() for _ in range(3)])
    with board.person() as (session, actor):
        review_evidence(session, actor=actor, certificate_id=expiring)
        last_day = now().date() + timedelta(days=30)
        grant_certificate(session, actor=actor, certificate_id=expiring, expires_on=last_day)
    raise_alerts(board.desk.worker, board.desk.settings)
    raise_alerts(board.desk.worker, board.desk.settings)
    with board.person() as (session, _):
        alerts = [alert for alert in read_open_alerts(session) if alert.kind is AlertKind.CERTIFICATE]
    assert [(alert.subject, alert.detail["why"]) for alert in alerts] == [(f"certificate:{expiring}", "expires")]
    board.certify()
    raise_alerts(board.desk.worker, board.desk.settings)
    board.take(software_version="2.0")
    raise_alerts(board.desk.worker, board.desk.settings)
    with board.person() as (session, _):
        alerts = [alert for alert in read_open_alerts(session) if alert.kind is AlertKind.CERTIFICATE]
    assert [alert.detail["why"] for alert in alerts] == ["recheck_due"]
