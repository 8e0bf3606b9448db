"""Accepts a filtered list after a look at a random sample of it: sampling → accepting → done, or stopped.

The list is fixed when it is drawn up, with the version of every scan. The reviewer opens each scan of the sample and
agrees; one disagreement stops it all and nothing is accepted. Then every scan is accepted by ``accept_scan`` with its
own review and audit event, which name the bulk acceptance; each can be taken back alone (core.usecases.undo_review).
What may not be accepted unseen (core.policy.bulk_sample), or has changed meanwhile, is left out and named. It is
accepted in pieces of ``PIECE``, each its own transaction, so that nobody waits behind a long list; one that broke off
goes on where it stopped.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from core.errors import IllegalMoveError, NotFoundError, OctauditError, UsageError
from core.policy.bulk_sample import Candidate, draw_sample, sample_size, why_left_out
from core.store.access import Actor
from core.store.audit import record_event
from core.store.bulk_review import (
    Bulk,
    BulkItem,
    ListedScan,
    add_bulk,
    add_bulk_scans,
    lock_bulk,
    read_bulk,
    read_bulk_items,
    read_listed,
    set_bulk_state,
    set_left_out,
    set_looked_at,
    set_mark,
)
from core.store.scan_filter import ScanFilter
from core.usecases.review_scan import REVIEWERS, accept_scan, reviewer_id_of
from core.vocabulary import BulkState, SampleMark, ScanState

MOST_SCANS = 500
"""In one bulk acceptance: more is no list that a person has looked at."""
PIECE = 25
"""Scans accepted in one transaction: about a second."""
_S = BulkState
MOVES: dict[BulkState, frozenset[BulkState]] = {
    _S.SAMPLING: frozenset({_S.ACCEPTING, _S.STOPPED}),
    _S.ACCEPTING: frozenset({_S.DONE, _S.STOPPED}),
    _S.DONE: frozenset(),
    _S.STOPPED: frozenset(),
}
"""What may follow what."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What accepting a list would do: its scans, why some are left out, and how many would be looked at."""

    listed: tuple[ListedScan, ...]
    left_out: Mapping[int, str]
    is_cut: bool
    """Whether the list is longer than ``MOST_SCANS``."""

    @property
    def eligible(self) -> tuple[ListedScan, ...]:
        """The scans that would be accepted."""
        return tuple(scan for scan in self.listed if scan.scan_id not in self.left_out)

    @property
    def n_sample(self) -> int:
        """How many of them would be looked at first."""
        return sample_size(len(self.eligible))


@dataclass(frozen=True, slots=True)
class BulkView:
    """A bulk acceptance with its scans."""

    bulk: Bulk
    items: tuple[BulkItem, ...]

    @property
    def sample(self) -> tuple[BulkItem, ...]:
        """The scans to look at, in their order."""
        return tuple(item for item in self.items if item.sample_number is not None)

    @property
    def waiting(self) -> tuple[BulkItem, ...]:
        """The scans that are still to be accepted."""
        return tuple(item for item in self.items if not item.left_out and not item.is_accepted)

    @property
    def accepted(self) -> tuple[BulkItem, ...]:
        """The scans that were accepted, those taken back since among them."""
        return tuple(item for item in self.items if item.is_accepted)

    @property
    def is_agreed(self) -> bool:
        """Whether every scan of the sample was agreed to."""
        return all(item.mark is SampleMark.AGREE for item in self.sample)


def propose_bulk(session: Session, *, actor: Actor, chosen: ScanFilter, today: date) -> Proposal:
    """What accepting the list under ``chosen`` would do."""
    listed = read_listed(session, chosen, today=today, limit=MOST_SCANS + 1)
    kept = tuple(listed[:MOST_SCANS])
    why = {scan.scan_id: why_left_out(_candidate(scan, actor)) for scan in kept}
    return Proposal(kept, {scan_id: words for scan_id, words in why.items() if words}, len(listed) > MOST_SCANS)


def open_bulk(session: Session, *, actor: Actor, chosen: ScanFilter, filters: Mapping[str, str], today: date) -> int:
    """Fix the list, draw the sample and return the id. ``filters`` is the list as the page's address names it.

    Raises
    ------
    UsageError
        Nothing may be accepted, the list is too long, or it spans several studies.
    """
    proposal = propose_bulk(session, actor=actor, chosen=chosen, today=today)
    if proposal.is_cut:
        raise UsageError(f"The list is longer than {MOST_SCANS} scans.", remedy="Narrow it by site, type or device.")
    if not proposal.eligible:
        raise UsageError("No scan of the list may be accepted in bulk.", remedy="Decide about them one by one.")
    studies = {scan.study_id for scan in proposal.listed}
    if len(studies) > 1:
        raise UsageError("The list spans several studies.", remedy="Choose one study in the filters.")
    seed = secrets.randbelow(2**31)
    sample = draw_sample([scan.scan_id for scan in proposal.eligible], seed)
    (study_id,) = studies
    bulk_id = add_bulk(session, study_id=study_id, reviewer_id=reviewer_id_of(actor), filters=filters, seed=seed)
    add_bulk_scans(session, bulk_id, proposal.listed, left_out=proposal.left_out, sample=sample)
    counts = {"scans": len(proposal.eligible), "left_out": len(proposal.left_out), "sample": sample, "seed": seed}
    _audit(session, actor, bulk_id, study_id, "open", after=counts | {"filters": dict(filters)})
    return bulk_id


def look_at_bulk(session: Session, bulk_id: int) -> BulkView | None:
    """The bulk acceptance; None where there is none that the person may see."""
    bulk = read_bulk(session, bulk_id)
    return None if bulk is None else BulkView(bulk, read_bulk_items(session, bulk_id))


def look_at_sample(session: Session, *, actor: Actor, bulk_id: int, scan_id: int) -> BulkView | None:
    """Note that the reviewer has opened a scan of the sample; None where it is none of an own, running one."""
    view = look_at_bulk(session, bulk_id)
    if view is None or view.bulk.reviewer_id != actor.user_id or scan_id not in {item.scan_id for item in view.sample}:
        return None
    item = next(item for item in view.sample if item.scan_id == scan_id)
    if view.bulk.state is not BulkState.SAMPLING or item.looked_at is not None:
        return view
    set_looked_at(session, bulk_id, scan_id)
    _audit(session, actor, bulk_id, view.bulk.study_id, "look", after={"scan": scan_id})
    return _reread(session, bulk_id)


def mark_sample(session: Session, *, actor: Actor, bulk_id: int, scan_id: int, mark: SampleMark) -> BulkView:
    """Agree or disagree with the acceptance of a sampled scan; a disagreement stops the whole.

    Raises
    ------
    NotFoundError, IllegalMoveError
        It is nobody's or somebody else's, has gone on, or the scan was not looked at.
    """
    view = _own(session, actor, bulk_id)
    if view.bulk.state is not BulkState.SAMPLING:
        raise IllegalMoveError("The sample is closed.", remedy="Start again from the worklist.")
    item = next((item for item in view.sample if item.scan_id == scan_id), None)
    if item is None:
        raise NotFoundError("The scan is not in the sample.", remedy="Choose one of the sample's.")
    if item.looked_at is None:
        raise IllegalMoveError("You have not looked at this scan.", remedy="Open it, then agree or disagree.")
    set_mark(session, bulk_id, scan_id, mark)
    _audit(session, actor, bulk_id, view.bulk.study_id, "mark", after={"scan": scan_id, "mark": mark})
    if mark is SampleMark.DISAGREE:
        _move(session, actor, view.bulk, BulkState.STOPPED, reason=f"Disagreed with the acceptance of scan {scan_id}.")
    return _reread(session, bulk_id)


def stop_bulk(session: Session, *, actor: Actor, bulk_id: int) -> None:
    """Give it up; what has been accepted so far stays accepted."""
    _move(session, actor, _own(session, actor, bulk_id).bulk, BulkState.STOPPED, reason="Given up by the reviewer.")


def accept_piece(session: Session, *, actor: Actor, bulk_id: int) -> int:
    """Accept the next scans of an agreed list; return how many are left. The last piece ends it.

    Raises
    ------
    IllegalMoveError
        Not every scan of the sample was agreed to, or it has ended.
    """
    view = _own(session, actor, bulk_id)
    if view.bulk.state is BulkState.SAMPLING:
        if not view.is_agreed:
            raise IllegalMoveError(
                "Not every scan of the sample has been agreed to.", remedy="Look at the others of the sample first."
            )
        _move(session, actor, view.bulk, BulkState.ACCEPTING)
    elif view.bulk.state is not BulkState.ACCEPTING:
        raise IllegalMoveError("The bulk acceptance has ended.", remedy="Start again from the worklist.")
    for item in view.waiting[:PIECE]:
        _accept(session, actor, bulk_id, item)
    left = len(_reread(session, bulk_id).waiting)
    if not left:
        _finish(session, actor, bulk_id)
    return left


def _accept(session: Session, actor: Actor, bulk_id: int, item: BulkItem) -> None:
    try:
        with session.begin_nested():
            accept_scan(
                session, actor=actor, scan_id=item.scan_id, seen_version=item.seen_version, bulk_review_id=bulk_id
            )
    except OctauditError as error:
        set_left_out(session, bulk_id, item.scan_id, str(error))


def _finish(session: Session, actor: Actor, bulk_id: int) -> None:
    view = _reread(session, bulk_id)
    counts = {
        "accepted": sum(item.is_accepted for item in view.items),
        "left_out": sum(bool(item.left_out) for item in view.items),
    }
    _move(session, actor, view.bulk, BulkState.DONE, after=counts)


def _candidate(scan: ListedScan, actor: Actor) -> Candidate:
    return Candidate(
        is_own_work=actor.user_id in scan.own_user_ids,
        may_review=actor.has_role(*REVIEWERS, study_id=scan.study_id, site_id=scan.site_id),
        is_to_decide=scan.state is ScanState.UNDER_REVIEW,
        model_ordinal=scan.model_ordinal,
        human_ordinal=scan.human_ordinal,
        is_stranger=scan.is_stranger,
        is_model_hidden=scan.is_model_hidden,
    )


def _own(session: Session, actor: Actor, bulk_id: int) -> BulkView:
    """The own bulk acceptance under lock."""
    bulk = lock_bulk(session, bulk_id)
    if bulk is None or bulk.reviewer_id != reviewer_id_of(actor):
        raise NotFoundError(
            f"You have no bulk acceptance {bulk_id} that is still open.", remedy="Start one from the worklist."
        )
    return BulkView(bulk, read_bulk_items(session, bulk_id))


def _reread(session: Session, bulk_id: int) -> BulkView:
    session.expire_all()
    view = look_at_bulk(session, bulk_id)
    assert view is not None, "it is the person's own"
    return view


def _move(
    session: Session,
    actor: Actor,
    bulk: Bulk,
    state: BulkState,
    *,
    reason: str = "",
    after: dict[str, Any] | None = None,
) -> None:
    if state not in MOVES[bulk.state]:
        raise IllegalMoveError(f"The bulk acceptance is {bulk.state}.", remedy="Start again from the worklist.")
    set_bulk_state(session, bulk.id, state)
    _audit(
        session, actor, bulk.id, bulk.study_id, state.value,
        before={"state": bulk.state}, after={"state": state} | (after or {}), reason=reason,
    )  # fmt: skip


def _audit(
    session: Session,
    actor: Actor,
    bulk_id: int,
    study_id: int,
    what: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    record_event(
        session,
        actor=actor,
        action=f"bulk_review.{what}",
        entity="bulk_review",
        entity_id=bulk_id,
        study_id=study_id,
        site_id=None,
        before=before,
        after=after,
        reason=reason,
    )
