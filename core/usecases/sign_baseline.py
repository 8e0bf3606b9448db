"""A manager signs the baseline of a control chart: a unit, a period, the rate in it, and the password again.

What is signed is frozen: later points, corrected grades, a new model or protocol move nothing. A next baseline is a
next version beside it. Raised by all: UsageError, NotAllowedError, NotFoundError.
"""

from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import NotAllowedError, NotFoundError, UsageError
from core.statistics.clustering import design_effect, total
from core.statistics.control_chart import Baseline, freeze_baseline, pool_periods
from core.store.access import Actor, current_actor
from core.store.audit import record_event
from core.store.scan_filter import ScanFilter, whole_weeks
from core.store.signed_baseline import (
    WHOLE_STUDY,
    BaselineScope,
    is_own_password,
    only_study,
    write_signed_baseline,
)
from core.store.unit import UnitKind
from core.store.unit_place import find_unit
from core.store.unit_week import read_unit_weeks, read_weeks
from core.usecases.acknowledge_flag import KEEPERS
from core.usecases.confirm_signature import not_confirmed, offered_hash
from core.values import NotComputable

MEANINGS = ("approved as baseline", "approved after a change of the process", "corrects an earlier baseline")
"""What a signature can stand for (21 CFR 11.50 asks that it is stated)."""


def scope_of(session: Session, chosen: ScanFilter) -> BaselineScope | NotComputable:
    """What a selection is one of: the whole study or one unit. The period does not matter.

    A selection of parts, like one model at one site, has no baseline of its own to sign.
    """
    study_id = only_study(session, chosen)
    if study_id is None:
        return NotComputable("several studies are in view, so choose one above")
    asked = _asked_unit(chosen)
    if asked is None:
        return NotComputable("the selection is a part of a unit: choose one site, device, technician, model or version")
    kind, key = asked
    scan_type = chosen.scan_type or ""
    if kind == WHOLE_STUDY:
        return BaselineScope(study_id, None, kind, key, "the whole study", scan_type)
    unit = find_unit(session, UnitKind(kind), key, study_id=study_id)
    if unit is None:
        return NotComputable("there is no such unit in this study")
    return BaselineScope(unit.study_id, unit.site_id, kind, key, unit.label, scan_type)


def _asked_unit(chosen: ScanFilter) -> tuple[str, str] | None:
    """Kind and key of the one unit that is chosen; a device's or technician's own site beside it is no part."""
    if chosen.asks_beyond_counts or chosen.manufacturer is not None:
        return None
    software = chosen.software_version
    named = {
        UnitKind.TECHNICIAN.value: chosen.technician_id,
        UnitKind.DEVICE.value: chosen.device_id,
        UnitKind.SOFTWARE.value: f"{chosen.device_model}|{software}" if software is not None else None,
        UnitKind.MODEL.value: chosen.device_model if software is None else None,
    }
    found = [(kind, str(value)) for kind, value in named.items() if value is not None]
    if not found:
        return (WHOLE_STUDY, "") if chosen.site_id is None else (UnitKind.SITE.value, str(chosen.site_id))
    spans_sites = chosen.device_model is not None or software is not None
    is_part = len(found) > 1 or (spans_sites and chosen.site_id is not None) or found[0][1].startswith("None|")
    return None if is_part else found[0]


def baseline_weeks(starts_on: date, ends_on: date) -> tuple[date, date]:
    """First and last day of the weeks that hold these days: counts are kept by week."""
    first, after = whole_weeks(starts_on, ends_on + timedelta(days=1))
    return first, after - timedelta(days=1)


def propose_baseline(
    session: Session, chosen: ScanFilter, scope: BaselineScope, *, starts_on: date, ends_on: date
) -> Baseline | NotComputable:
    """The baseline of a selection in a period of whole weeks, as it would be signed."""
    first, last = baseline_weeks(starts_on, ends_on)
    if starts_on > ends_on or last >= now().date():
        return NotComputable("the period must end before the present week and not before it begins")
    everybody = ScanFilter(
        study_id=scope.study_id, scan_type=chosen.scan_type, since=first, until=last + timedelta(days=1)
    )
    own = replace(
        everybody, site_id=scope.site_id, device_id=chosen.device_id, technician_id=chosen.technician_id,
        device_model=chosen.device_model, software_version=chosen.software_version,
    )  # fmt: skip
    kind = UnitKind.SITE if scope.kind == WHOLE_STUDY else UnitKind(scope.kind)
    units = read_unit_weeks(session, everybody, kind)
    design = design_effect([total([week.count for week in each.weeks]) for each in units])
    points, _ = pool_periods(read_weeks(session, own))
    return freeze_baseline(points, design)


def sign_baseline(
    database: Database,
    *,
    token: str,
    chosen: ScanFilter,
    starts_on: date,
    ends_on: date,
    password: str,
    meaning: str,
    reason: str,
) -> int:
    """Check the password, then compute, sign and store the baseline; returns its version's number.

    An empty password stands for the identity provider's fresh word.

    Two transactions: a wrong password must be counted although nothing else is written.
    """
    if meaning not in MEANINGS:
        raise UsageError("The signature has no meaning.", remedy=f"Choose one: {', '.join(MEANINGS)}.")
    if not reason.strip():
        raise UsageError("The baseline has no reason.", remedy="Say why this period is the yardstick.")
    with session_scope(database, token=token) as session:
        actor = _signer(session)
        _scope_to_sign(session, actor, chosen)
        offered = offered_hash(session, actor, password)
        is_right = is_own_password(session, offered)
    if not is_right:
        raise not_confirmed(password)
    with session_scope(database, token=token) as session:
        scope = _scope_to_sign(session, actor, chosen)
        baseline = propose_baseline(session, chosen, scope, starts_on=starts_on, ends_on=ends_on)
        if isinstance(baseline, NotComputable):
            raise UsageError(f"There is no baseline to sign: {baseline.reason}.", remedy="Choose a longer period.")
        written = write_signed_baseline(
            session, scope, baseline, offered_hash=offered, meaning=meaning, reason=reason.strip()
        )
        _record(session, actor, scope, baseline, written, meaning=meaning, reason=reason.strip())
    return written[1]


def _signer(session: Session) -> Actor:
    actor = current_actor(session)
    if actor is None:
        raise NotAllowedError("The session has ended.", remedy="Sign in again.")
    return actor


def _scope_to_sign(session: Session, actor: Actor, chosen: ScanFilter) -> BaselineScope:
    scope = scope_of(session, chosen)
    if isinstance(scope, NotComputable):
        raise NotFoundError(f"There is nothing to sign a baseline for: {scope.reason}.", remedy="Change the filters.")
    if not may_sign(actor, scope):
        raise NotAllowedError(f"Only a manager signs the baseline of {scope.label}.", remedy="Ask one of them.")
    return scope


def may_sign(actor: Actor, scope: BaselineScope) -> bool:
    """Whether a person manages what a baseline is for; one that spans sites needs a role for all of them."""
    grants = (grant for grant in actor.grants if grant.role in KEEPERS and grant.covers(scope.study_id, scope.site_id))
    return any(grant.site_id is None or scope.site_id is not None for grant in grants)


def _record(
    session: Session,
    actor: Actor,
    scope: BaselineScope,
    baseline: Baseline,
    written: tuple[int, int],
    *,
    meaning: str,
    reason: str,
) -> None:
    entity_id, number = written
    after = {
        "unit": f"{scope.kind} {scope.label}", "scan_type": scope.scan_type, "number": number,
        "starts_on": f"{baseline.starts_on}", "ends_on": f"{baseline.ends_on}", "centre": baseline.centre,
        "sigma_z": baseline.sigma_z, "n": baseline.n,
    }  # fmt: skip
    record_event(
        session, actor=actor, action="baseline.sign", entity="signed_baseline", entity_id=entity_id,
        study_id=scope.study_id, site_id=scope.site_id, after=after, reason=reason, meaning=meaning,
    )  # fmt: skip
