"""A manager marks an event on the trends, or takes a mark back. Raised: UsageError, NotAllowedError, NotFoundError."""

from datetime import UTC, date, datetime, time

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.access import Actor
from core.store.administration import insert_annotation
from core.store.audit import record_event
from core.store.mark import MarkKind, read_mark, withdraw_mark
from core.store.unit import UnitKind
from core.usecases.acknowledge_flag import KEEPERS, managed_unit

OFFERED = (MarkKind.NOTE, MarkKind.SERVICE, MarkKind.TECHNICIAN, MarkKind.SOFTWARE)
"""What a person may mark; models and protocols mark themselves."""


def annotate_event(
    session: Session,
    *,
    actor: Actor,
    study_id: int,
    happened_on: date,
    kind: MarkKind,
    text: str,
    site_id: int | None = None,
    device_id: int | None = None,
) -> int:
    """Mark what happened on a day (UTC) to a study, a site or a device; returns the mark's id."""
    if kind not in OFFERED:
        raise UsageError(f"A {kind} is marked by itself.", remedy=f"Choose {', '.join(OFFERED)}.")
    if not text.strip():
        raise UsageError("The mark has no text.", remedy="Say in a few words what happened.")
    if happened_on > now().date():
        raise UsageError(f"{happened_on:%d %b %Y} has not come yet.", remedy="Mark what has happened.")
    if device_id is not None:
        unit = managed_unit(session, actor, UnitKind.DEVICE, str(device_id))
        study_id, site_id = unit.study_id, unit.site_id
        text = f"{unit.label}: {text.strip()}"
    elif site_id is not None:
        study_id = managed_unit(session, actor, UnitKind.SITE, str(site_id)).study_id
    else:
        _refuse_unless_whole(actor, study_id)
    happened_at = datetime.combine(happened_on, time(12), UTC)  # noon: the same day wherever it is drawn
    added = insert_annotation(
        session, study_id=study_id, site_id=site_id, device_id=device_id, happened_at=happened_at, kind=kind.value,
        text=text.strip(),
    )  # fmt: skip
    after = {"kind": kind.value, "happened_on": f"{happened_on}", "device_id": device_id}
    record_event(
        session, actor=actor, action="mark.add", entity="annotation", entity_id=added, study_id=study_id,
        site_id=site_id, after=after, reason=text.strip(),
    )  # fmt: skip
    return added


def withdraw_annotation(session: Session, *, actor: Actor, mark_id: int, reason: str) -> None:
    """Take a mark back that was made by mistake, with the reason; it stays in the database and the audit trail."""
    mark = read_mark(session, mark_id)
    if mark is None:
        raise NotFoundError(f"There is no mark {mark_id}.", remedy="Choose one from the list.")
    if mark.site_id is None:
        _refuse_unless_whole(actor, mark.study_id)
    else:
        managed_unit(session, actor, UnitKind.SITE, str(mark.site_id))
    if not reason.strip():
        raise UsageError("Why is the mark withdrawn?", remedy="Write the reason in a few words.")
    if mark.is_withdrawn or not withdraw_mark(session, mark_id, at=now()):
        raise IllegalMoveError("The mark was withdrawn before.", remedy="Mark the event anew if it did happen.")
    record_event(
        session, actor=actor, action="mark.withdraw", entity="annotation", entity_id=mark_id, study_id=mark.study_id,
        site_id=mark.site_id, before={"kind": mark.kind, "text": mark.text}, reason=reason.strip(),
    )  # fmt: skip


def _refuse_unless_whole(actor: Actor, study_id: int) -> None:
    grants = (grant for grant in actor.grants if grant.role in KEEPERS and grant.site_id is None)
    if not any(grant.study_id in {None, study_id} for grant in grants):
        raise NotAllowedError("Only a manager of the whole study marks it.", remedy="Mark the event at your site.")
