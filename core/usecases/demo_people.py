"""The demo study's people and places: study, protocol, sites, devices, technicians, logins, marks on the trends.

Everything is added by the verbs an administrator uses, and only where it is not there yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from core.phantom.demo_roster import GRADERS, THIRD_GRADER, UPDATED_DEVICE, UPDATED_SOFTWARE
from core.phantom.demo_values import DemoEvent, DemoStudy
from core.policy.protocol import ExpectedScanType, Protocol
from core.policy.scan_types import scan_type
from core.store import administration as store
from core.store.access import PROGRAM, Actor, Grant
from core.store.capture import add_visit, find_or_add_subject, find_visit
from core.store.demo import find_user, keep_first_password, link_first_technician
from core.usecases.administer_study import (
    add_device,
    add_mark,
    add_site,
    add_study,
    add_technician,
    publish_protocol,
    record_software_update,
)
from core.usecases.administer_users import FirstLogin, add_user, grant_role
from core.vocabulary import Laterality, Role, ScanKind, Slab

FOLLOW_UP = "FU"
"""Code of the visit to which everybody comes once more (core.usecases.demo_calendar)."""


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """A login made for the demo. ``password`` is None where the login was there before."""

    name: str
    role: Role
    where: str
    password: str | None


@dataclass(frozen=True, slots=True)
class DemoPlaces:
    """Ids of what the story refers to, and the people who act in it."""

    study_id: int
    site_ids: dict[str, int]
    uploaders: dict[str, Actor]
    """By site: its technician, who uploads and answers for it."""
    reviewer: Actor
    graders: dict[str, Actor]
    logins: tuple[DemoLogin, ...]


def find_demo_study(session: Session, code: str) -> store.StudyRow | None:
    """The study, where the demo was loaded before."""
    return store.find_study(session, code)


def first_protocol(study: DemoStudy) -> Protocol:
    """What held from the study's start: any slab will do.

    The devices are invented, so no model was calibrated on them; the protocol vouches for them.
    """
    devices = sorted({f"{device.manufacturer} {device.model}" for device in study.devices})
    return Protocol(name=study.code, visit_window_days=study.visit_window_days, known_devices=tuple(devices))


def amended_protocol(study: DemoStudy) -> Protocol:
    """What holds since the amendment: both slabs of each field are required.

    Of a visit so far no slot is expected that was not sent; the follow-up is to bring one capture of each eye.
    """
    fields = sorted({field for visit in study.visits for field in visit.fields_mm})
    expected = tuple(
        ExpectedScanType(
            scan_type=scan_type(ScanKind.OCTA_ENFACE, field, field),
            lateralities=(),
            required_slabs=(Slab.SUPERFICIAL, Slab.DEEP),
        )
        for field in fields
    )
    follow_up = expected[0].model_copy(update={"lateralities": tuple(Laterality), "visits": (FOLLOW_UP,)})
    return first_protocol(study).model_copy(update={"expected": (*expected, follow_up)})


def set_up_study(session: Session, study: DemoStudy, *, starts_at: datetime) -> None:
    """Add the study with its protocol, sites, devices, technicians, missed visits and marks."""
    study_id = add_study(
        session, actor=PROGRAM, code=study.code, name=study.name, protocol=first_protocol(study),
        effective_at=starts_at, is_demo=True,
    )  # fmt: skip
    site_ids = {
        site.code: add_site(
            session, actor=PROGRAM, study_id=study_id, code=site.code, name=site.name, country=site.country
        )
        for site in study.sites
    }
    device_ids = {
        device.code: add_device(
            session, actor=PROGRAM, site_id=site_ids[device.site], code=device.code, manufacturer=device.manufacturer,
            model=device.model, serial=device.serial, software_version=device.software_version,
        )
        for device in study.devices
    }  # fmt: skip
    for technician in study.technicians:
        add_technician(
            session, actor=PROGRAM, site_id=site_ids[technician.site], code=technician.code, name=technician.name
        )
    for event in study.events:
        _add_event(session, study, event, study_id=study_id, site_ids=site_ids, device_ids=device_ids)
    _add_missed_visits(session, study, site_ids)


def _add_event(
    session: Session,
    study: DemoStudy,
    event: DemoEvent,
    *,
    study_id: int,
    site_ids: dict[str, int],
    device_ids: dict[str, int],
) -> None:
    if event.kind == "protocol amendment":
        publish_protocol(
            session, actor=PROGRAM, study_id=study_id, protocol=amended_protocol(study), note=event.text,
            effective_at=event.happened_at,
        )  # fmt: skip
    elif event.device == UPDATED_DEVICE:
        record_software_update(
            session, actor=PROGRAM, device_id=device_ids[event.device], software_version=UPDATED_SOFTWARE,
            happened_at=event.happened_at,
        )  # fmt: skip
    else:
        site_id = site_ids[event.site] if event.site else None
        device_id = device_ids[event.device] if event.device else None
        add_mark(
            session, actor=PROGRAM, study_id=study_id, kind=event.kind, text=event.text, happened_at=event.happened_at,
            site_id=site_id, device_id=device_id,
        )  # fmt: skip


def _add_missed_visits(session: Session, study: DemoStudy, site_ids: dict[str, int]) -> None:
    """A visit that was due and brought nothing still has its slots: that is what completeness counts."""
    for visit in study.visits:
        if not visit.is_missed:
            continue
        site_id = site_ids[visit.subject.site]
        subject_id = find_or_add_subject(session, site_id, visit.subject.code)
        if find_visit(session, subject_id, visit.code) is None:
            slots = [
                (visit.subject.laterality, scan_type(ScanKind.OCTA_ENFACE, field, field)) for field in visit.fields_mm
            ]
            add_visit(session, site_id, subject_id, visit.code, window_ends_on=visit.window_ends_on, expected=slots)


def people_and_places(session: Session, study: DemoStudy) -> DemoPlaces:
    """Ids and actors of a study that is set up; logins that are missing are made."""
    found = store.find_study(session, study.code)
    assert found is not None, "set_up_study comes first"
    site_ids = {site.code: site.id for site in store.list_sites(session, found.id)}
    study_grant = Grant(Role.QC_TECHNICIAN, found.id, None)
    names: dict[str, Grant] = {
        "manager": replace(study_grant, role=Role.MANAGER),
        "qc": study_grant,
        "adjudicator": replace(study_grant, role=Role.ADJUDICATOR),
        "study-admin": replace(study_grant, role=Role.ADMIN),
        **{grader: replace(study_grant, role=Role.GRADER) for grader in (*GRADERS, THIRD_GRADER)},
        **{code.lower(): Grant(Role.SITE_TECHNICIAN, found.id, site_ids[code]) for code in site_ids},
    }
    made = {name: _find_or_add_user(session, name, grant) for name, grant in names.items()}
    actors = {name: Actor(user_id, name, name, (names[name],)) for name, (user_id, _) in made.items()}
    codes = {site_id: code for code, site_id in site_ids.items()}
    for code, site_id in site_ids.items():
        link_first_technician(session, site_id, made[code.lower()][0])
    logins = tuple(
        DemoLogin(name, grant.role, codes.get(grant.site_id or 0, "all sites"), made[name][1])
        for name, grant in names.items()
    )
    uploaders = {code: actors[code.lower()] for code in site_ids}
    graders = {grader: actors[grader] for grader in (*GRADERS, THIRD_GRADER)}
    return DemoPlaces(found.id, site_ids, uploaders, actors["qc"], graders, logins)


def let_see(session: Session, names: Iterable[str], grant: Grant) -> None:
    """Give people a role in another study too."""
    for name in names:
        user_id = find_user(session, name)
        assert user_id is not None, "the logins are made first"
        grant_role(session, actor=PROGRAM, user_id=user_id, role=grant.role, study_id=grant.study_id)


def _find_or_add_user(session: Session, name: str, grant: Grant) -> tuple[int, str | None]:
    known = find_user(session, name)
    if known is not None:
        return known, None
    login: FirstLogin = add_user(session, actor=PROGRAM, name=name, display_name=_display_name(name))
    keep_first_password(session, login.user_id)
    grant_role(
        session, actor=PROGRAM, user_id=login.user_id, role=grant.role, study_id=grant.study_id, site_id=grant.site_id
    )
    return login.user_id, login.password


def _display_name(name: str) -> str:
    return {"qc": "QC technician"}.get(name, name.replace("-", " ").capitalize()) + " (demo)"
