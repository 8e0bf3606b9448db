"""An administrator sets up a study: its protocol versions, sites, devices, technicians and marks on the trends.

Every verb needs the role admin for the study (a new study: for all studies), leaves an audit event, and returns the id
of what it added. Raised by all: NotAllowedError, UsageError (a code that is malformed or taken), NotFoundError.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.clock import now
from core.errors import NotAllowedError, NotFoundError, UsageError
from core.policy.protocol import Protocol
from core.scoring.acceptance import refuse_unless_possible
from core.scoring.card import calibration_in
from core.store import administration as store
from core.store.access import PROGRAM, Actor
from core.store.audit import record_event
from core.store.mark import MarkKind
from core.store.model_version import read_last_model
from core.usecases.recheck_certificates import recheck_after_update
from core.vocabulary import Role

Result = TypeVar("Result")
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
"""Codes stand in manifests, addresses and file names, so they hold neither spaces nor slashes."""


def add_study(
    session: Session,
    *,
    actor: Actor,
    code: str,
    name: str,
    protocol: Protocol | None = None,
    effective_at: datetime | None = None,
    is_demo: bool = False,
) -> int:
    """Add a study with the first version of its protocol (the default one where none is given)."""
    refuse_unless_admin(actor, None)
    _check(code, name)
    study_id = unless_taken(
        session, f"The study code {code}", lambda: store.insert_study(session, code=code, name=name, is_demo=is_demo)
    )
    record_event(session, actor=actor, action="add_study", entity="study", entity_id=study_id, study_id=study_id,
                 after={"code": code, "name": name})  # fmt: skip
    first = protocol or Protocol.default()
    _publish(session, actor, study_id, first, note="First version", effective_at=effective_at or now())
    return study_id


def publish_protocol(
    session: Session,
    *,
    actor: Actor,
    study_id: int,
    protocol: Protocol,
    note: str,
    effective_at: datetime | None = None,
) -> int:
    """Add the study's next protocol version, in force from ``effective_at`` (now), and mark it on the trends.

    Scans already judged keep the version they were judged by. An accept level that the model which scored last cannot
    vouch for is refused (UsageError).
    """
    refuse_unless_admin(actor, study_id)
    if not note.strip():
        raise UsageError("A protocol version needs a note.", remedy="Say in a few words what changed and why.")
    refuse_unless_promised(session, protocol)
    versions = store.list_protocol_versions(session, study_id)
    if versions and Protocol.model_validate(versions[0].document) == protocol:
        raise UsageError(f"Nothing differs from version {versions[0].number}.", remedy="Change a value first.")
    moment = effective_at or now()
    version_id = _publish(session, actor, study_id, protocol, note=note.strip(), effective_at=moment)
    store.insert_annotation(
        session, study_id=study_id, happened_at=moment, kind=MarkKind.PROTOCOL.value, text=note.strip()
    )
    return version_id


def refuse_unless_promised(session: Session, protocol: Protocol) -> None:
    """Refuse an accept level that the calibration scans of the model in use are too few for."""
    model = read_last_model(session)
    calibration = None if model is None else calibration_in(model.card)
    if calibration is not None:
        refuse_unless_possible(calibration, protocol.conformal_level)


def add_site(session: Session, *, actor: Actor, study_id: int, code: str, name: str, country: str = "") -> int:
    """Add a site to a study."""
    refuse_unless_admin(actor, study_id)
    _check(code, name)
    site_id = unless_taken(
        session,
        f"The site code {code}",
        lambda: store.insert_site(session, study_id=study_id, code=code, name=name, country=country),
    )
    record_event(session, actor=actor, action="add_site", entity="site", entity_id=site_id, study_id=study_id,
                 site_id=site_id, after={"code": code, "name": name, "country": country})  # fmt: skip
    return site_id


def add_device(
    session: Session,
    *,
    actor: Actor,
    site_id: int,
    code: str,
    manufacturer: str,
    model: str,
    serial: str,
    software_version: str = "",
) -> int:
    """Add a device to a site. Code and serial number are unique within the site."""
    study_id = _study_of(session, actor, site_id)
    _check(code, serial)
    values = {
        "code": code, "manufacturer": manufacturer, "model": model, "serial": serial,
        "software_version": software_version,
    }  # fmt: skip
    device_id = unless_taken(
        session,
        f"The device code {code} or the serial number {serial}",
        lambda: store.insert_device(session, site_id=site_id, **values),
    )
    record_event(session, actor=actor, action="add_device", entity="device", entity_id=device_id, study_id=study_id,
                 site_id=site_id, after=values)  # fmt: skip
    return device_id


def record_software_update(
    session: Session, *, actor: Actor, device_id: int, software_version: str, happened_at: datetime | None = None
) -> int:
    """Note a device's new software version and mark it on the trends; returns the mark's id."""
    device = store.lock_device(session, device_id)
    if device is None:
        raise NotFoundError(f"There is no device {device_id}.", remedy="Choose one from the list.")
    study_id = _study_of(session, actor, device.site_id)
    if not software_version.strip() or software_version == device.software_version:
        raise UsageError("That is no new software version.", remedy="Enter the version that the device shows now.")
    former, device.software_version = device.software_version, software_version.strip()
    record_event(session, actor=actor, action="update_software", entity="device", entity_id=device_id,
                 study_id=study_id, site_id=device.site_id, before={"software_version": former},
                 after={"software_version": device.software_version})  # fmt: skip
    recheck_after_update(
        session, actor=actor, device_id=device_id, software_version=device.software_version, at=happened_at or now()
    )
    text = f"{device.code}: software {former or '(none)'} → {device.software_version}"
    return store.insert_annotation(
        session, study_id=study_id, site_id=device.site_id, device_id=device_id, happened_at=happened_at or now(),
        kind=MarkKind.SOFTWARE.value, text=text,
    )  # fmt: skip


def add_mark(
    session: Session,
    *,
    actor: Actor,
    study_id: int,
    kind: str,
    text: str,
    happened_at: datetime | None = None,
    site_id: int | None = None,
    device_id: int | None = None,
) -> int:
    """Mark an event on a study's trends: a new technician, a moved device, anything worth knowing later."""
    refuse_unless_admin(actor, study_id)
    if not text.strip():
        raise UsageError("The mark has no text.", remedy="Say in a few words what happened.")
    moment = happened_at or now()
    mark_id = store.insert_annotation(
        session, study_id=study_id, site_id=site_id, device_id=device_id, happened_at=moment, kind=kind,
        text=text.strip(),
    )  # fmt: skip
    record_event(session, actor=actor, action="add_mark", entity="annotation", entity_id=mark_id, study_id=study_id,
                 site_id=site_id, after={"kind": kind, "text": text.strip()})  # fmt: skip
    return mark_id


def add_technician(
    session: Session, *, actor: Actor, site_id: int, code: str, name: str = "", user_id: int | None = None
) -> int:
    """Add a technician to a site; ``user_id`` where the person also logs in, so that no one reviews their own scans.

    At a site that takes scans already it is marked on the trends.
    """
    study_id = _study_of(session, actor, site_id)
    _check(code, code)
    technician_id = unless_taken(
        session,
        f"The technician code {code}",
        lambda: store.insert_technician(session, site_id=site_id, code=code, name=name, user_id=user_id),
    )
    record_event(session, actor=actor, action="add_technician", entity="technician", entity_id=technician_id,
                 study_id=study_id, site_id=site_id, after={"code": code, "user_id": user_id})  # fmt: skip
    if store.has_captures(session, site_id):  # those who are there from the start are no news
        store.insert_annotation(
            session, study_id=study_id, site_id=site_id, happened_at=now(), kind=MarkKind.TECHNICIAN.value,
            text=f"{code} is added",
        )  # fmt: skip
    return technician_id


def _publish(
    session: Session, actor: Actor, study_id: int, protocol: Protocol, *, note: str, effective_at: datetime
) -> int:
    versions = store.list_protocol_versions(session, study_id)
    number = versions[0].number + 1 if versions else 1
    document = protocol.model_dump(mode="json")
    version_id = unless_taken(
        session,
        f"Version {number}",
        lambda: store.insert_protocol_version(
            session, study_id=study_id, number=number, effective_at=effective_at, note=note, document=document,
            published_by_id=actor.user_id,
        ),
    )  # fmt: skip
    record_event(session, actor=actor, action="publish_protocol", entity="protocol_version", entity_id=version_id,
                 study_id=study_id, before=versions[0].document if versions else None, after=document,
                 reason=note)  # fmt: skip
    return version_id


def _study_of(session: Session, actor: Actor, site_id: int) -> int:
    """The site's study, for an actor who administers it."""
    study_id = store.study_of_site(session, site_id)
    if study_id is None:
        raise NotFoundError(f"There is no site {site_id}.", remedy="Choose one from the list.")
    refuse_unless_admin(actor, study_id)
    return study_id


def refuse_unless_admin(actor: Actor, study_id: int | None) -> None:
    """NotAllowedError for who does not administer this study (None: all studies)."""
    if actor is PROGRAM:
        return
    grants = (grant for grant in actor.grants if grant.role is Role.ADMIN)
    if not any(grant.study_id is None or grant.study_id == study_id for grant in grants):
        what = "this study" if study_id is not None else "all studies"
        raise NotAllowedError(f"Only an administrator of {what} may do that.", remedy="Ask one of them.")


def _check(code: str, name: str) -> None:
    if not CODE.fullmatch(code):
        raise UsageError(
            f"{code!r} is no code.", remedy="Use up to 32 letters, digits, dots, dashes and underscores; no spaces."
        )
    if not name.strip():
        raise UsageError("The name is empty.", remedy="Enter it.")


def unless_taken(session: Session, what: str, write: Callable[[], Result]) -> Result:
    """Write within a savepoint, so that a clash leaves the transaction usable; UsageError where ``what`` is taken."""
    try:
        with session.begin_nested():
            return write()
    except IntegrityError as error:
        if "uq_" not in str(error.orig):
            raise
        raise UsageError(f"{what} is already taken.", remedy="Choose another.") from error
