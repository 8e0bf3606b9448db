"""Shows the review form and says what was done in it. Knows words and the shape of the data, writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st
from pydantic import BaseModel, ConfigDict, ValidationError

from core.policy.reasons import REASON_TEXTS, review_form_codes
from core.policy.review_form import MAX_WORDS, ReviewDraft, form_name, letter
from core.vocabulary import ReasonCode, ReviewDecision, ScanKind
from core.wording import grade_names

FOLDER = Path(__file__).resolve().parent

_Sent = TypeVar("_Sent", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FormState:
    """What the form shows: whose scan in which version, what is filled in, and what may be done."""

    scan_id: int
    version: int
    kind: ScanKind
    draft: ReviewDraft
    flagged: frozenset[ReasonCode]
    """What the model flagged."""
    can_accept: bool
    steps: tuple[ReviewDecision, ...]
    """The decisions that need more than a key: override, request, query, as far as they are possible now."""
    has_reason: bool
    """Whether the model gave a reason that a request can quote where no letter has failed."""
    due: str
    note: str | None = None
    """Said above the letters, e.g. that a draft was brought back."""
    saved: str | None = None
    round: int = 0
    """Another number makes the form begin again with ``draft``, after a decision that was refused."""


class FormEvent(BaseModel):
    """A decision as the form sends it, with the version of the scan that the person had before the eyes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: ReviewDecision
    scan: int
    version: int
    draft: ReviewDraft


def show_form(state: FormState, *, key: str, on_draft: Callable[[ReviewDraft], None]) -> FormEvent | None:
    """Show the form; return the decision that was just made, if it is about this scan.

    ``on_draft`` is called whenever what is filled in has changed. What a browser sends that is no draft is ignored.
    """

    def keep() -> None:
        draft = _parsed(ReviewDraft, st.session_state[key].get("draft"))
        if draft is not None:
            on_draft(draft)

    result = _component()(data=_data(state), key=key, on_draft_change=keep, on_decided_change=_nothing)
    event = _parsed(FormEvent, result.decided)
    return event if event is not None and event.scan == state.scan_id else None


def _parsed(kind: type[_Sent], sent: Any) -> _Sent | None:
    try:
        return kind.model_validate(sent) if sent else None
    except ValidationError:
        return None


def _data(state: FormState) -> dict[str, Any]:
    return {
        "scan": state.scan_id,
        "version": state.version,
        "round": state.round,
        "formName": form_name(state.kind),
        "criteria": [
            {
                "code": code,
                "letter": letter(code),
                "label": REASON_TEXTS[code].label,
                "text": REASON_TEXTS[code].text,
                "flagged": code in state.flagged,
            }
            for code in review_form_codes(state.kind)
        ],
        "draft": state.draft.model_dump(mode="json"),
        "canAccept": state.can_accept,
        "steps": list(state.steps),
        "hasReason": state.has_reason,
        "grades": [[ordinal, name] for ordinal, name in grade_names(state.kind).items()],
        "maxWords": MAX_WORDS,
        "due": state.due,
        "note": state.note,
        "saved": state.saved,
    }


def _nothing() -> None:
    """A trigger needs a callback to exist; the value is read from the result."""


@cache
def _component() -> Any:
    shared = (FOLDER.parent / "panel.css").read_text("utf-8")
    return st.components.v2.component(
        "octaudit.review_form",
        html=(FOLDER / "form.html").read_text("utf-8"),
        css=shared + (FOLDER / "form.css").read_text("utf-8"),
        js=(FOLDER.parent / "keys.js").read_text("utf-8") + (FOLDER / "form.js").read_text("utf-8"),
    )
