"""Drafts are their writer's alone, and whoever has a scan open is seen by the other reviewers."""

from datetime import timedelta

import pytest
from builders import make_member
from desk import Desk
from lane import ABSTAINED, GRADABLE
from sqlalchemy import func, select
from stopped_clock import stop_clock

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.errors import NotAllowedError, UsageError
from core.policy.review_form import ReviewDraft, prefilled_marks
from core.store.review_draft import put_draft, read_draft
from core.store.scan_claim import CLAIM_LIFE, Claim
from core.usecases.prepare_review import claim_scan, keep_draft
from core.vocabulary import ReasonCode, Role, ScanKind

MARKS = prefilled_marks(ScanKind.OCTA_ENFACE, ()) | {ReasonCode.MP_SIGNAL: False}


def keep(desk: Desk, token: str, scan_id: int, **fields: object) -> None:
    with desk.as_person(token) as (session, actor):
        keep_draft(
            session,
            actor=actor,
            scan_id=scan_id,
            site_id=desk.scene.site.id,
            kind=ScanKind.OCTA_ENFACE,
            seen_version=1,
            draft=ReviewDraft(marks=MARKS, **fields),  # type: ignore[arg-type]
        )


def look(desk: Desk, token: str, scan_id: int, *, is_opened: bool = True) -> tuple[Claim, ...]:
    with desk.as_person(token) as (session, actor):
        site = desk.scene.site
        return claim_scan(
            session, actor=actor, scan_id=scan_id, study_id=site.study_id, site_id=site.id, is_opened=is_opened
        )


def test_the_last_draft_is_kept_and_the_decision_removes_it(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    keep(desk, reviewer, scan_id, reason="The FAZ")
    keep(desk, reviewer, scan_id, reason="The FAZ is sharp")
    with session_scope(desk.owner) as session:
        draft = session.scalars(select(tables.ReviewDraft)).one()
        assert draft.document["reason"] == "The FAZ is sharp"
        assert draft.document["marks"]["oscar-mp:S"] is False
    desk.accept(reviewer, scan_id)
    with session_scope(desk.owner) as session:
        assert session.scalars(select(tables.ReviewDraft)).all() == []


def test_nobody_else_sees_or_writes_a_draft(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    keep(desk, reviewer, scan_id, reason="Mine")
    with session_scope(desk.owner) as session:
        owner_id = session.scalars(select(tables.ReviewDraft.reviewer_id)).one()
    for role in (Role.QC_TECHNICIAN, Role.ADJUDICATOR, Role.MANAGER, Role.ADMIN, Role.SITE_TECHNICIAN):
        token = desk.hire(role)
        with desk.as_person(token) as (session, _):
            assert read_draft(session, reviewer_id=owner_id, scan_id=scan_id) is None
            assert session.scalar(select(func.count()).select_from(tables.ReviewDraft)) == 0
        with pytest.raises(NotAllowedError), desk.as_person(token) as (session, _):
            put_draft(
                session, reviewer_id=owner_id, site_id=desk.scene.site.id, scan_id=scan_id, seen_version=1, document={}
            )


def test_a_draft_of_another_form_is_refused(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    with pytest.raises(UsageError, match="OSCAR-IB"), desk.as_person(reviewer) as (session, actor):
        keep_draft(
            session,
            actor=actor,
            scan_id=scan_id,
            site_id=desk.scene.site.id,
            kind=ScanKind.BSCAN,
            seen_version=1,
            draft=ReviewDraft(marks=MARKS),
        )


def test_two_reviewers_see_each_other_and_neither_is_locked_out(desk: Desk) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    with session_scope(desk.owner) as session:
        (anna, anna_token), (_, ben_token) = (
            make_member(session, Role.QC_TECHNICIAN, site=desk.scene.site) for _ in range(2)
        )
    assert look(desk, anna_token, scan_id) == ()
    seen = look(desk, ben_token, scan_id)
    assert [claim.who for claim in seen] == [anna.display_name]
    assert len(look(desk, anna_token, scan_id, is_opened=False)) == 1
    desk.accept(ben_token, scan_id)


def test_a_claim_keeps_its_beginning_while_refreshed_and_lapses_when_it_is_not(
    desk: Desk, reviewer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_id, other = desk.score(ABSTAINED + GRADABLE), desk.hire(Role.ADJUDICATOR)
    begun = now()
    stop_clock(monkeypatch, begun)
    look(desk, reviewer, scan_id)
    stop_clock(monkeypatch, begun + CLAIM_LIFE - timedelta(seconds=1))
    look(desk, reviewer, scan_id, is_opened=False)
    stop_clock(monkeypatch, begun + CLAIM_LIFE + timedelta(seconds=30))
    assert [claim.since_at for claim in look(desk, other, scan_id)] == [begun]
    later = begun + 3 * CLAIM_LIFE
    stop_clock(monkeypatch, later)
    assert look(desk, other, scan_id, is_opened=False) == ()
    look(desk, reviewer, scan_id)
    assert [claim.since_at for claim in look(desk, other, scan_id)] == [later]


def test_opening_the_next_scan_gives_up_the_last(desk: Desk, reviewer: str) -> None:
    first, second = desk.score(ABSTAINED + GRADABLE), desk.score(ABSTAINED + GRADABLE)
    look(desk, reviewer, first)
    look(desk, reviewer, second)
    assert look(desk, desk.hire(Role.ADJUDICATOR), first) == ()


@pytest.mark.parametrize("role", [Role.SITE_TECHNICIAN, Role.MANAGER, Role.GRADER])
def test_who_may_not_review_claims_nothing_and_sees_no_one(desk: Desk, reviewer: str, role: Role) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    look(desk, reviewer, scan_id)
    token = desk.hire(role)
    assert look(desk, token, scan_id) == ()
    with desk.as_person(token) as (session, _):
        assert session.scalars(select(tables.ScanClaim)).all() == []
