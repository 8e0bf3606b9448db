"""Rows for tests, each with sensible values that keywords change. Import as `from builders import make_scan`.

Every builder takes an owner's session, adds its row and whatever it hangs on, flushes, and returns the row.
"""

import hashlib
import itertools
import secrets
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.orm import Session

from core.database import tables
from core.vocabulary import Laterality, Role, ScaleSource, ScanKind, ScanState, Slab

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_numbers = itertools.count(1)
Row = TypeVar("Row", bound=tables.Base)


def unique(prefix: str) -> str:
    """A name that no other builder of this run has given."""
    return f"{prefix}{next(_numbers)}"


def _add(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row


def make_study(session: Session, **changes: object) -> tables.Study:
    code = unique("STUDY")
    return _add(session, tables.Study(**{"code": code, "name": f"Study {code}"} | changes))


def make_protocol_version(session: Session, study: tables.Study, **changes: object) -> tables.ProtocolVersion:
    values = {"study_id": study.id, "number": 1, "effective_at": MONDAY - timedelta(days=365), "document": {}}
    return _add(session, tables.ProtocolVersion(**values | changes))


def make_site(session: Session, study: tables.Study | None = None, **changes: object) -> tables.Site:
    study_id = (study or make_study(session)).id if "study_id" not in changes else changes["study_id"]
    code = unique("S")
    return _add(session, tables.Site(**{"study_id": study_id, "code": code, "name": f"Clinic {code}"} | changes))


def make_device(session: Session, site: tables.Site, **changes: object) -> tables.Device:
    code = unique("D")
    values = {"site_id": site.id, "code": code, "manufacturer": "Optovue", "model": "AngioVue", "serial": f"SN-{code}"}
    return _add(session, tables.Device(**values | changes))


def make_technician(session: Session, site: tables.Site, **changes: object) -> tables.Technician:
    return _add(session, tables.Technician(**{"site_id": site.id, "code": unique("T")} | changes))


def make_user(session: Session, **changes: object) -> tables.User:
    """A user without a password: log in with ``login_token``, or set one with core.usecases.administer_users."""
    name = unique("user")
    return _add(session, tables.User(**{"name": name, "display_name": name.title()} | changes))


def make_grant(
    session: Session,
    user: tables.User,
    role: Role,
    *,
    study: tables.Study | None = None,
    site: tables.Site | None = None,
    **changes: object,
) -> tables.SiteGrant:
    """A role at one site, at all sites of a study, or (admin only) everywhere."""
    study_id = site.study_id if site is not None else study.id if study is not None else None
    values = {"user_id": user.id, "role": role.value, "study_id": study_id, "site_id": site.id if site else None}
    return _add(session, tables.SiteGrant(**values | changes))


def login_token(session: Session, user: tables.User, **changes: object) -> str:
    """Give the user a live session without a password, and return its token for ``session_scope(token=...)``."""
    token = secrets.token_urlsafe(32)
    now = datetime.now(tz=UTC)
    values = {
        "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
        "user_id": user.id,
        "last_seen_at": now,
        "idle_timeout": timedelta(hours=1),
        "ends_at": now + timedelta(hours=8),
        "expires_at": now + timedelta(hours=1),
    }
    _add(session, tables.Session(**values | changes))
    return token


def make_member(
    session: Session, role: Role, *, study: tables.Study | None = None, site: tables.Site | None = None
) -> tuple[tables.User, str]:
    """A user with one grant and a live session: (user, token)."""
    user = make_user(session)
    make_grant(session, user, role, study=study, site=site)
    return user, login_token(session, user)


def make_subject(session: Session, site: tables.Site, **changes: object) -> tables.Subject:
    return _add(session, tables.Subject(**{"site_id": site.id, "code": unique("P")} | changes))


def make_visit(session: Session, subject: tables.Subject, **changes: object) -> tables.Visit:
    values = {"site_id": subject.site_id, "subject_id": subject.id, "code": unique("V")}
    return _add(session, tables.Visit(**values | changes))


def make_expected_scan(session: Session, visit: tables.Visit, **changes: object) -> tables.ExpectedScan:
    values = {
        "site_id": visit.site_id,
        "visit_id": visit.id,
        "laterality": Laterality.OD.value,
        "scan_type": "octa-enface 3x3",
        "first_received_at": MONDAY,
    }
    return _add(session, tables.ExpectedScan(**values | changes))


def make_acquisition(
    session: Session,
    site: tables.Site,
    *,
    device: tables.Device | None = None,
    slot: tables.ExpectedScan | None = None,
    **changes: object,
) -> tables.Acquisition:
    """One capture with its subject, visit and slot; ``slot`` to add a second capture of the same slot."""
    if slot is None:
        slot = make_expected_scan(session, make_visit(session, make_subject(session, site)))
    visit = session.get_one(tables.Visit, slot.visit_id)
    values = {
        "site_id": site.id,
        "code": unique("A"),
        "subject_id": visit.subject_id,
        "visit_id": visit.id,
        "expected_scan_id": slot.id,
        "device_id": (device or make_device(session, site)).id,
        "laterality": slot.laterality,
        "kind": ScanKind.OCTA_ENFACE.value,
        "scan_type": slot.scan_type,
        "acquired_at": MONDAY,
        "field_width_mm": 3.0,
        "field_height_mm": 3.0,
        "scale_source": ScaleSource.MANIFEST.value,
    }
    return _add(session, tables.Acquisition(**values | changes))


def make_batch(session: Session, site: tables.Site, **changes: object) -> tables.Batch:
    values = {"site_id": site.id, "receipt": unique("R"), "submitted_at": MONDAY}
    return _add(session, tables.Batch(**values | changes))


def make_blob(session: Session, data: bytes | None = None, **changes: object) -> tables.Blob:
    """A blob's row (the bytes themselves go through core.storage)."""
    content = data if data is not None else unique("blob").encode()
    values = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content), "media_type": "image/png"}
    return _add(session, tables.Blob(**values | changes))


def make_scan(
    session: Session,
    site: tables.Site | None = None,
    *,
    acquisition: tables.Acquisition | None = None,
    batch: tables.Batch | None = None,
    blob: tables.Blob | None = None,
    **changes: object,
) -> tables.Scan:
    """A queued scan with its whole chain: study, site, device, subject, visit, slot, acquisition, batch, blob."""
    site = site or make_site(session)
    acquisition = acquisition or make_acquisition(session, site)
    values = {
        "site_id": acquisition.site_id,
        "acquisition_id": acquisition.id,
        "batch_id": (batch or make_batch(session, site)).id,
        "kind": acquisition.kind,
        "slab": Slab.SUPERFICIAL.value,
        "image_sha256": (blob or make_blob(session)).sha256,
        "width_px": 304,
        "height_px": 304,
        "state": ScanState.QUEUED.value,
    }
    return _add(session, tables.Scan(**values | changes))
