"""A manager says that a unit's flags were seen, with a comment; the keeper ends that when the unit is flagged no more.

So a flag that comes back after a spell without one is new, and not acknowledged.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.access import PROGRAM, Actor
from core.store.audit import record_event
from core.store.flag_acknowledgement import (
    Acknowledgement,
    FlagKey,
    add_acknowledgement,
    end_acknowledgements,
    read_acknowledgements,
)
from core.store.unit import UnitKind
from core.store.unit_place import UnitPlace, find_unit
from core.usecases.find_flags import Flag, find_flags
from core.vocabulary import Role

KEEPERS = (Role.MANAGER, Role.ADMIN)
"""Who acts on flags."""


def acknowledge_flags(
    session: Session,
    *,
    actor: Actor,
    kind: UnitKind,
    unit_key: str,
    comment: str,
    n_weeks: int,
    study_id: int | None = None,
) -> tuple[Flag, ...]:
    """Acknowledge every flag of a unit that stands and was not acknowledged yet; returns those.

    Raises
    ------
    UsageError
        There is no comment, or the unit is not flagged over the ``n_weeks`` that alerts look at.
    IllegalMoveError
        Its flags are acknowledged already.
    NotAllowedError, NotFoundError
        The person manages no such unit, or there is none.
    """
    unit = managed_unit(session, actor, kind, unit_key, study_id=study_id)
    if not comment.strip():
        raise UsageError("The acknowledgement has no comment.", remedy="Say what you know about it, or what is done.")
    today = now().date()
    flags = [
        flag
        for flag in find_flags(session, unit.study_id, [kind], today=today, n_weeks=n_weeks).values()
        if flag.key.unit_key == unit_key
    ]
    if not flags:
        raise UsageError(
            f"{unit.label} is not flagged over the last {n_weeks} weeks, so there is no flag to acknowledge.",
            remedy="If a shorter period gives reason to act, open an action.",
        )
    standing = read_acknowledgements(session, unit.study_id)
    fresh = tuple(flag for flag in flags if flag.key not in standing)
    written = tuple(flag for flag in fresh if _write(session, actor, unit, flag, comment.strip()))
    if not written:
        raise IllegalMoveError(
            _already(unit, standing.get(flags[0].key)),
            remedy="A flag that comes back after a spell without one can be acknowledged anew; now open an action.",
        )
    return written


def _already(unit: UnitPlace, found: Acknowledgement | None) -> str:
    if found is None:  # somebody was quicker by a moment
        return f"The flag of {unit.label} has just been acknowledged by somebody else."
    return f"The flag of {unit.label} was acknowledged by {found.by} on {found.at:%d %b %Y}."


def _write(session: Session, actor: Actor, unit: UnitPlace, flag: Flag, comment: str) -> bool:
    assert actor.user_id is not None, "only people acknowledge"
    detail = {"label": unit.label, "k": flag.k, "n": flag.n, "is_red": flag.is_red}
    added = add_acknowledgement(
        session, flag.key, study_id=unit.study_id, site_id=unit.site_id, detail=detail, comment=comment,
        user_id=actor.user_id, at=now(),
    )  # fmt: skip
    if added is None:
        return False
    record_event(
        session, actor=actor, action="flag.acknowledge", entity="flag_acknowledgement", entity_id=added,
        study_id=unit.study_id, site_id=unit.site_id, after=_named(flag.key) | detail, reason=comment,
    )  # fmt: skip
    return True


def managed_unit(
    session: Session, actor: Actor, kind: UnitKind, unit_key: str, *, study_id: int | None = None
) -> UnitPlace:
    """The unit, where the person may act on it; one that spans sites needs a role for the whole study."""
    unit = find_unit(session, kind, unit_key, study_id=study_id)
    if unit is None:
        raise NotFoundError(
            f"There is no {kind.value} {unit_key!r} in one study that you see.", remedy="Choose one from the list."
        )
    grants = (grant for grant in actor.grants if grant.role in KEEPERS and grant.covers(unit.study_id, unit.site_id))
    if not any(grant.site_id is None or unit.site_id is not None for grant in grants):
        what = "this site" if unit.site_id is not None else "the whole study"
        raise NotAllowedError(f"Only a manager of {what} acts on {unit.label}.", remedy="Ask one of them.")
    return unit


def end_outlived(session: Session, study_id: int, *, n_weeks: int, at: datetime) -> int:
    """End the acknowledgements of a study whose flags are over; returns how many. The keeper's part."""
    standing = read_acknowledgements(session, study_id)
    if not standing:
        return 0
    kinds = sorted({key.kind for key in standing})
    flags = find_flags(session, study_id, kinds, today=at.date(), n_weeks=n_weeks)
    over = [each for key, each in standing.items() if key not in flags]
    end_acknowledgements(session, (each.id for each in over), at=at)
    for each in over:
        record_event(
            session, actor=PROGRAM, action="flag.end", entity="flag_acknowledgement", entity_id=each.id,
            study_id=study_id, site_id=each.site_id, after=_named(each.key),
        )  # fmt: skip
    return len(over)


def _named(key: FlagKey) -> dict[str, object]:
    return {"unit_kind": key.kind.value, "unit_key": key.unit_key, "indicator": key.indicator}
