"""The review of a scan on its page: the form with its draft, what follows a decision, and who else is looking."""

from dataclasses import dataclass
from functools import partial

import streamlit as st
from pydantic import ValidationError

from core.clock import now
from core.policy.review_form import ReviewDraft, prefilled_marks
from core.store.access import Actor
from core.store.review_draft import StoredDraft
from core.store.scan_claim import REFRESHED_EVERY
from core.store.scan_view import ScanView
from core.usecases.prepare_review import claim_scan
from core.usecases.review_scan import REVIEWERS
from core.vocabulary import CoipsGrade, ReviewDecision, ScanState
from core.wording import SLAB_NAMES, grade_name
from dashboard import decisions
from dashboard.components.panel import go_to
from dashboard.components.review_form.show import FormState, show_form
from dashboard.session import open_session

ASKABLE = frozenset({ScanState.ACCEPTED, ScanState.UNDER_REVIEW})
ACCEPTABLE = frozenset({ScanState.ACCEPTED, ScanState.UNDER_REVIEW, ScanState.QUERIED})
REQUESTABLE = frozenset({ScanState.UNDER_REVIEW, ScanState.QUERIED})
_ROUND, _SAVED, _OPENED = "octaudit.review.round", "octaudit.review.saved", "octaudit.review.opened"


@dataclass(frozen=True, slots=True)
class ReviewContext:
    """What surrounds the form: the own draft, and where a decision leads (None: the page stays)."""

    draft: StoredDraft | None
    onward: str | None


def may_review(view: ScanView, actor: Actor) -> bool:
    """Whether this person reviews scans of this site, and the scan stands where it can be decided."""
    return actor.has_role(*REVIEWERS, study_id=view.study_id, site_id=view.site_id) and view.state in ACCEPTABLE


def scan_name(view: ScanView) -> str:
    """``P-007 · V1 · OD · superficial``."""
    return f"{view.subject_code} · {view.visit_code} · {view.laterality} · {SLAB_NAMES[view.slab].lower()}"


@st.fragment
def draw_review(view: ScanView, context: ReviewContext) -> None:
    """The form. A draft runs this part of the page again, a decision the whole of it."""
    state = _form_state(view, context.draft)
    event = show_form(state, key=f"review-{view.scan_id}-{view.version}", on_draft=partial(_keep, view))
    if event is None:
        return
    st.session_state[_ROUND] = state.round + 1
    if not decisions.decide(event, scan=scan_name(view)):
        decisions.keep(view, event.draft)
        st.rerun(scope="app")
    if context.onward is not None:
        go_to(context.onward)
    st.rerun(scope="app")


def _keep(view: ScanView, draft: ReviewDraft) -> None:
    if decisions.keep(view, draft):
        st.session_state[_SAVED] = (view.scan_id, f"Draft saved {now():%H:%M:%S} UTC")


def _form_state(view: ScanView, stored: StoredDraft | None) -> FormState:
    reasons = view.assessment.reasons if view.assessment else ()
    begun = _draft(stored, view)
    saved_for, saved = st.session_state.get(_SAVED, (None, None))
    until = f"Due {view.window_ends_on:%d %b %Y}, when the visit window ends." if view.window_ends_on else None
    possible = {
        ReviewDecision.OVERRIDE: True,
        ReviewDecision.REQUEST_REACQUISITION: view.state in REQUESTABLE,
        ReviewDecision.QUERY: view.state in ASKABLE,
    }
    return FormState(
        scan_id=view.scan_id,
        version=view.version,
        kind=view.kind,
        draft=begun or ReviewDraft(marks=prefilled_marks(view.kind, reasons)),
        flagged=frozenset(reason.code for reason in reasons),
        can_accept=view.state is not ScanState.ACCEPTED and _may_accept(view),
        steps=tuple(step for step, is_possible in possible.items() if is_possible),
        has_reason=bool(reasons),
        due=until or "Without a due day: this visit has no window.",
        note=_draft_note(stored, view) if begun else _why_no_accept(view),
        saved=saved if saved_for == view.scan_id else None,
        round=st.session_state.get(_ROUND, 0),
    )


def _draft(stored: StoredDraft | None, view: ScanView) -> ReviewDraft | None:
    """The draft, where it still fits the form."""
    if stored is None:
        return None
    try:
        draft = ReviewDraft.model_validate(stored.document)
    except ValidationError:
        return None
    return draft if set(draft.marks) == set(prefilled_marks(view.kind, ())) else None


def _draft_note(stored: StoredDraft | None, view: ScanView) -> str:
    assert stored is not None, "there is a draft"
    when = f"{stored.updated_at:%d %b, %H:%M} UTC"
    if stored.seen_version != view.version:
        return f"Your draft of {when} is back. The scan has changed since: look again before you decide."
    return f"Your draft of {when} is back."


def _why_no_accept(view: ScanView) -> str | None:
    if view.state is ScanState.ACCEPTED or _may_accept(view) or view.assessment is None:
        return None
    grade = grade_name(CoipsGrade.UNGRADABLE, view.kind).lower()
    return f"Graded {grade}: to accept it, override the grade with a reason."


def _may_accept(view: ScanView) -> bool:
    """Accepting an ungradable scan contradicts its grade: that is an override, with a reason."""
    assessment = view.assessment
    if assessment is None:
        return False
    ordinal = assessment.ordinal if view.human_ordinal is None else view.human_ordinal
    return ordinal >= CoipsGrade.GRADABLE or (assessment.is_abstained and view.human_ordinal is None)


@st.fragment(run_every=REFRESHED_EVERY)
def draw_claims(view: ScanView, actor: Actor) -> None:
    """Say who else has the scan open, and to the others that this person has, for as long as the page is open."""
    is_opened = st.session_state.get(_OPENED) != view.scan_id
    st.session_state[_OPENED] = view.scan_id
    with open_session() as session:
        others = claim_scan(
            session,
            actor=actor,
            scan_id=view.scan_id,
            study_id=view.study_id,
            site_id=view.site_id,
            is_opened=is_opened,
        )
    for claim in others:
        st.warning(
            f"{claim.who} is looking at this scan since {claim.since_at:%H:%M} UTC. "
            "Whoever decides second is told and overwrites nothing.",
            icon=":material/visibility:",
        )
