"""What follows a question to a site: remarks of either side, the asker's end of it, and the same question again.

A thread stands as its last act left it (core.store.query_thread). Asking is a review (core.usecases.review_scan), the
answer is core.usecases.answer_query. Raised by all: UsageError where words are missing, NotFoundError, NotAllowedError,
IllegalMoveError.
"""

from sqlalchemy.orm import Session

from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.query_thread import Thread, ThreadState, add_message, read_thread
from core.store.review import ReviewedScan, lock_reviewed_scan, set_decision
from core.usecases.reacquire import SITE_ROLES
from core.usecases.review_scan import REVIEWERS, query_site, reviewer_id_of
from core.vocabulary import QueryAct, QuerySide, Role, ScanState

_S = ThreadState
MOVES: dict[QueryAct, frozenset[ThreadState]] = {
    QueryAct.QUESTION: frozenset({_S.NONE, _S.ASKED, _S.ANSWERED}),
    QueryAct.ANSWER: frozenset({_S.ASKED}),
    QueryAct.REMARK: frozenset({_S.ASKED, _S.ANSWERED}),
    QueryAct.RESOLVED: frozenset({_S.ASKED, _S.ANSWERED}),
    QueryAct.REOPENED: frozenset({_S.RESOLVED}),
}
"""In which states of a thread an act is legal."""
WHY_NOT = {
    _S.NONE: "nobody has asked anything about this scan",
    _S.ASKED: "it is open",
    _S.ANSWERED: "it is answered and not resolved",
    _S.RESOLVED: "it is resolved",
}
REMEDIES = {
    _S.NONE: "Ask the site first.",
    _S.ASKED: "Write a remark, or wait for the answer.",
    _S.ANSWERED: "Ask again, or resolve it.",
    _S.RESOLVED: "Re-open it first.",
}


def remark(session: Session, *, actor: Actor, scan_id: int, text: str) -> None:
    """Add words to a thread that is not resolved; the scan stays as it is."""
    words = _words(text, "The remark is empty.")
    scan = _scan(session, scan_id)
    _require(actor, scan, *SITE_ROLES, Role.ADJUDICATOR)
    refuse_illegal_act(read_thread(session, scan_id).state, QueryAct.REMARK)
    side = QuerySide.CENTRE if _is_centre(actor, scan) else QuerySide.SITE
    _write(session, scan, actor, act=QueryAct.REMARK, side=side, text=words)


def resolve_query(session: Session, *, actor: Actor, scan_id: int, note: str = "") -> None:
    """End a thread; a question that is still open is withdrawn, and the scan goes back under review.

    The asker does that; an adjudicator may where the asker cannot.
    """
    scan = _scan(session, scan_id)
    _require(actor, scan, *REVIEWERS)
    thread = read_thread(session, scan_id)
    refuse_illegal_act(thread.state, QueryAct.RESOLVED)
    _require_asker(actor, scan, thread)
    if scan.state is ScanState.QUERIED:
        set_decision(
            session, scan_id, state=ScanState.UNDER_REVIEW, final_verdict=scan.final_verdict,
            human_ordinal=scan.human_ordinal,
        )  # fmt: skip
    _write(session, scan, actor, act=QueryAct.RESOLVED, side=QuerySide.CENTRE, text=note.strip())


def reopen_query(session: Session, *, actor: Actor, scan_id: int, seen_version: int, question: str) -> None:
    """Ask the site again after the thread was resolved: it says what is still missing, and the scan waits again."""
    refuse_illegal_act(read_thread(session, scan_id).state, QueryAct.REOPENED)
    query_site(session, actor=actor, scan_id=scan_id, seen_version=seen_version, question=question)


def refuse_illegal_act(state: ThreadState, act: QueryAct) -> None:
    """Raise IllegalMoveError, with the reason, where a thread in ``state`` admits no such act."""
    if state in MOVES[act]:
        return
    words = {
        QueryAct.QUESTION: "asked", QueryAct.ANSWER: "answered", QueryAct.REMARK: "remarked on",
        QueryAct.RESOLVED: "resolved", QueryAct.REOPENED: "re-opened",
    }  # fmt: skip
    raise IllegalMoveError(f"The question cannot be {words[act]}: {WHY_NOT[state]}.", remedy=REMEDIES[state])


def _scan(session: Session, scan_id: int) -> ReviewedScan:
    scan = lock_reviewed_scan(session, scan_id)
    if scan is None:
        raise NotFoundError(f"There is no scan {scan_id}.", remedy="Choose one from the worklist.")
    return scan


def _words(text: str, fault: str) -> str:
    if not text.strip():
        raise UsageError(fault, remedy="Write it in a few words.")
    return text.strip()


def _require(actor: Actor, scan: ReviewedScan, *roles: Role) -> None:
    if not actor.has_role(*roles, study_id=scan.study_id, site_id=scan.site_id):
        raise NotAllowedError(
            "Your role does not allow this in the questions about a scan of this site.",
            remedy="Ask a technician of the site or the reading centre.",
        )


def _require_asker(actor: Actor, scan: ReviewedScan, thread: Thread) -> None:
    asker = thread.asker
    is_asker = asker is not None and asker.author_id == actor.user_id
    if is_asker or actor.has_role(Role.ADJUDICATOR, study_id=scan.study_id, site_id=scan.site_id):
        return
    who = asker.author if asker is not None else "the asker"
    raise NotAllowedError(f"{who} asked, so {who} resolves it.", remedy=f"Tell {who}, or ask an adjudicator.")


def _is_centre(actor: Actor, scan: ReviewedScan) -> bool:
    return actor.has_role(*REVIEWERS, study_id=scan.study_id, site_id=scan.site_id)


def _write(session: Session, scan: ReviewedScan, actor: Actor, *, act: QueryAct, side: QuerySide, text: str) -> None:
    add_message(
        session, scan_id=scan.scan_id, site_id=scan.site_id, author_id=reviewer_id_of(actor), side=side, act=act,
        text=text,
    )  # fmt: skip
    record_event(
        session, actor=actor, action=f"query.{act.value}", entity="scan", entity_id=scan.scan_id,
        study_id=scan.study_id, site_id=scan.site_id, after={"side": side, "text": text}, reason=text,
    )  # fmt: skip
