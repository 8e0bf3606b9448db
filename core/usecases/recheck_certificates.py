"""A device's certificate is due for a new check once the device runs other software than it was certified with."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import StaleRecordError
from core.policy.certification import refuse_illegal_move
from core.store import certificate as store
from core.store.access import PROGRAM, Actor
from core.store.audit import record_event
from core.store.case import ScanCase
from core.store.certificate import CertificateRow
from core.vocabulary import CertificateState


def notice_software(session: Session, cases: Iterable[ScanCase]) -> list[int]:
    """A certificate is due for a new check where its device took a scan by other software; returns those that are now.

    Call it in the transaction that scores the scans. A capture from before the certificate, or one that does not state
    its software, says nothing. From the capture on the certificate holds no longer.
    """
    by_device: dict[int, list[ScanCase]] = {}
    for case in cases:
        if case.software_version:
            by_device.setdefault(case.device_id, []).append(case)
    moved = []
    for row in store.read_outdated(session, by_device):
        assert row.certified_at is not None, "a certified one has a moment (check constraint)"
        assert row.device_id is not None, "asked for by device"
        other = [
            case
            for case in by_device[row.device_id]
            if case.kind == row.kind
            and case.software_version != row.software_version
            and case.acquired_at >= row.certified_at
        ]
        if other:
            first = min(other, key=lambda case: (case.acquired_at, case.scan_id))
            note = f"Scan {first.scan_id} was taken by software {first.software_version}."
            _recheck(session, PROGRAM, row.id, note=note, ended_at=first.acquired_at)
            moved.append(row.id)
    return moved


def recheck_after_update(
    session: Session, *, actor: Actor, device_id: int, software_version: str, at: datetime
) -> None:
    """The same where a person notes that a device was updated."""
    for row in store.read_outdated(session, [device_id]):
        if row.software_version != software_version:
            _recheck(session, actor, row.id, note=f"The device was updated to {software_version}.", ended_at=at)


def move(
    session: Session,
    actor: Actor,
    certificate: CertificateRow,
    state: CertificateState,
    *,
    note: str,
    **columns: object,
) -> None:
    """Give a certificate another state, with its step and its audit event.

    Raises
    ------
    IllegalMoveError
        It cannot become that from where it stands.
    StaleRecordError
        Somebody else has moved it meanwhile.
    """
    refuse_illegal_move(certificate.state, state)
    moment, words = now(), note.strip()
    if not store.move_certificate(session, certificate.id, was=certificate.state, state=state, **columns):
        raise StaleRecordError("Somebody has just moved this certificate.", remedy="Load the page again.")
    store.add_step(session, certificate.id, certificate.site_id, state, actor_id=actor.user_id, note=words, at=moment)
    after = {"state": state.value} | {name: f"{value}" for name, value in columns.items()}
    record_event(
        session, actor=actor, action=f"certificate.{state.value}", entity="certificate", entity_id=certificate.id,
        study_id=certificate.study_id, site_id=certificate.site_id, before={"state": certificate.state.value},
        after=after, reason=words,
    )  # fmt: skip


def _recheck(session: Session, actor: Actor, certificate_id: int, *, note: str, ended_at: datetime) -> None:
    certificate = store.read_certificate(session, certificate_id)
    assert certificate is not None, "it was just locked"
    move(session, actor, certificate, CertificateState.RECHECK_DUE, note=note, ended_at=ended_at)
