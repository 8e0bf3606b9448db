"""Audit events, newest first, and the state of their chain."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from core.errors import NotFoundError, UsageError
from core.store.audit_check import read_chain_status
from core.store.audit_trail import Place, TrailFilter, TrailKind, read_trail
from core.vocabulary import Role
from dashboard.api.documents.audit import AuditEventDocument, ChainDocument
from dashboard.api.documents.base import Code, GivenMoment, Id, Page
from dashboard.api.guard import AuditReader
from dashboard.api.paging import Paged, cursor, ids_after

router = APIRouter(tags=["audit"])

AUDITORS = frozenset({Role.MANAGER, Role.ADMIN})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class TrailQuery(Paged):
    """A page of the audit trail."""

    study: Id | None = Field(None, description="Id of a study.")
    site: Id | None = Field(None, description="Id of a site.")
    installation: bool = Field(default=False, description="Only what belongs to no study: sign-ins, accounts.")
    actor: Id | None = Field(None, description="Id of who did it.")
    kind: TrailKind = TrailKind.ALL
    action: Code | None = None
    entity: Code | None = None
    entity_id: Id | None = None
    since: GivenMoment | None = None
    until: GivenMoment | None = Field(None, description="Exclusive.")


@router.get("/audit-events")
def list_audit_events(asked: Annotated[TrailQuery, Query()], caller: AuditReader) -> Page[AuditEventDocument]:
    """Who did what, when, from which value to which and why: newest first, of the caller's studies and sites."""
    caller.require_role(AUDITORS)
    chosen = TrailFilter(
        study_id=asked.study,
        is_installation=asked.installation,
        site_id=asked.site,
        actor_id=asked.actor,
        kind=asked.kind,
        action=asked.action,
        entity=asked.entity,
        entity_id=asked.entity_id,
        since=asked.since,
        until=asked.until,
    )
    with caller.open_session() as session:
        rows = read_trail(session, chosen, limit=asked.limit + 1, after=_place(asked.after))
    shown = rows[: asked.limit]
    return Page(
        items=[AuditEventDocument.model_validate(row) for row in shown],
        next=_cursor(shown[-1].place) if len(rows) > asked.limit else None,
    )


@router.get("/audit-chain")
def read_audit_chain(caller: AuditReader) -> ChainDocument:
    """Whether the chain that seals the events is unbroken, by the last check of it."""
    caller.require_role(AUDITORS)
    with caller.open_session() as session:
        status = read_chain_status(session)
    if status is None:
        raise NotFoundError("Your role does not see the chain.", remedy="It is for administrators of all studies.")
    return ChainDocument.model_validate(status)


def _cursor(place: Place) -> str:
    return cursor((place.happened_at - _EPOCH) // _MICROSECOND, place.id)


def _place(after: str | None) -> Place | None:
    key = ids_after(after, n=2)
    if key is None:
        return None
    try:
        return Place(_EPOCH + key[0] * _MICROSECOND, key[1])
    except OverflowError as error:
        raise UsageError("`after` is no cursor of this list.", remedy="Give back `next` unchanged.") from error
