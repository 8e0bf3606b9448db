"""Certificates of technicians and devices: ask for one, show evidence, look at it, grant or refuse, check anew.

Every verb leaves a step and an audit event. Raised by all: NotFoundError, NotAllowedError, IllegalMoveError,
StaleRecordError where somebody else was faster. Suspending is an action about the unit (core.usecases.act_on_unit) and
holds for all certificates of its holder.
"""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.policy.certification import add_months, refuse_illegal_move
from core.policy.protocol import Certification
from core.store import certificate as store
from core.store.access import Actor
from core.store.audit import record_event
from core.store.certificate import CertificateRow, Holder
from core.store.evidence import EvidenceScan, read_candidates, read_scans_shown
from core.store.protocol import read_protocols
from core.usecases.acknowledge_flag import KEEPERS
from core.usecases.administer_study import unless_taken
from core.usecases.recheck_certificates import move
from core.vocabulary import CertificateState, Role, ScanKind

LONGEST_NOTE = 1000
"""Characters of a note or reason."""


def request_certificate(
    session: Session, *, actor: Actor, holder: Holder, kind: ScanKind, scan_ids: Sequence[int] = (), note: str = ""
) -> int:
    """Ask for a certificate, with the first evidence; a manager for anybody, a site for its devices and oneself.

    Returns its id. A certificate that is held stays until the new one is granted.
    """
    _refuse_unless_may_ask(actor, holder)
    if not holder.is_active:
        raise UsageError(f"{holder.code} is deactivated.", remedy="Activate it on the Admin page first.")
    if holder.device_id is not None and not holder.software_version:
        raise UsageError(
            f"The software version of {holder.code} is not known, and a device's certificate is for one version.",
            remedy="Note it on the Admin page, under Devices.",
        )
    if store.is_asked_for(session, holder, kind):
        raise IllegalMoveError(
            f"A certificate of {holder.code} for {kind.value} is asked for already.",
            remedy="Open it in the list and show more scans there.",
        )
    moment, asked_by = now(), _person(actor)
    added = unless_taken(
        session,
        f"A certificate of {holder.code} for {kind.value}",
        lambda: store.add_certificate(session, holder, kind, requested_by_id=asked_by, at=moment),
    )
    store.add_step(
        session, added, holder.site_id, CertificateState.REQUESTED, actor_id=asked_by, note=note.strip(), at=moment
    )
    after = {
        "kind": kind.value, holder.word: holder.code, "serial": holder.serial,
        "software_version": holder.software_version,
    }  # fmt: skip
    record_event(
        session, actor=actor, action="certificate.requested", entity="certificate", entity_id=added,
        study_id=holder.study_id, site_id=holder.site_id, after=after, reason=note.strip(),
    )  # fmt: skip
    if scan_ids:
        show_evidence(session, actor=actor, certificate_id=added, scan_ids=scan_ids)
    return added


def show_evidence(session: Session, *, actor: Actor, certificate_id: int, scan_ids: Sequence[int]) -> None:
    """Show scans for a certificate that was asked for. UsageError names every scan that cannot be shown, and why."""
    certificate = _found(session, certificate_id)
    holder = _holder(session, certificate)
    _refuse_unless_may_ask(actor, holder)
    if certificate.state not in {CertificateState.REQUESTED, CertificateState.UNDER_REVIEW}:
        raise IllegalMoveError(
            f"The certificate of {certificate.holder_code} is {certificate.state.value.replace('_', ' ')}; evidence "
            "is shown for one that was asked for.",
            remedy="Ask for a new certificate and show it there.",
        )
    shown = {scan.scan_id for scan in read_scans_shown(session, [certificate_id]).get(certificate_id, ())}
    scans = read_candidates(session, scan_ids)
    faults = [
        f"Scan {scan_id}: {fault}"
        for scan_id in dict.fromkeys(scan_ids)
        if (fault := _fault(scan_id, scans.get(scan_id), certificate, shown)) is not None
    ]
    if faults:
        raise UsageError(f"{'; '.join(faults)}.", remedy="Leave these out, and show others.")
    store.add_evidence(
        session, certificate_id, certificate.site_id, dict.fromkeys(scan_ids), added_by_id=_person(actor), at=now()
    )
    record_event(
        session, actor=actor, action="certificate.evidence", entity="certificate", entity_id=certificate_id,
        study_id=certificate.study_id, site_id=certificate.site_id, after={"scan_ids": list(dict.fromkeys(scan_ids))},
    )  # fmt: skip


def review_evidence(session: Session, *, actor: Actor, certificate_id: int, note: str = "") -> None:
    """The reading centre begins to look at the evidence."""
    certificate = _kept(session, actor, certificate_id)
    move(session, actor, certificate, CertificateState.UNDER_REVIEW, note=note)


def grant_certificate(
    session: Session, *, actor: Actor, certificate_id: int, note: str = "", expires_on: date | None = None
) -> date:
    """Grant it; the one held before is replaced. Returns its last day, by the protocol where none is given.

    Raises
    ------
    IllegalMoveError
        It is not under review, its holder is suspended, or too few captures shown are gradable.
    """
    certificate = _kept(session, actor, certificate_id)
    refuse_illegal_move(certificate.state, CertificateState.CERTIFIED)
    holder = _holder(session, certificate)
    if certificate.is_suspended:
        raise IllegalMoveError(f"{holder.code} is suspended.", remedy="Lift the suspension on the page Actions first.")
    if holder.device_id is not None and holder.software_version != certificate.software_version:
        raise IllegalMoveError(
            f"The certificate is for software {certificate.software_version}, and {holder.code} runs "
            f"{holder.software_version or 'a version that is not stated'}.",
            remedy="Refuse this one and ask for one with the present version.",
        )
    rules, moment = certification_of(session, certificate.study_id), now()
    _refuse_unless_shown(session, certificate, rules)
    last_day = expires_on or add_months(moment.date(), rules.validity_months)
    if last_day <= moment.date():
        raise UsageError(f"The last day {last_day:%d %b %Y} is not after today.", remedy="Choose a later day.")
    former = store.read_held_by(session, holder, certificate.kind)
    if former is not None:
        _replace(session, actor, former, at=moment)
    move(session, actor, certificate, CertificateState.CERTIFIED, note=note, certified_at=moment, expires_on=last_day)
    return last_day


def refuse_certificate(session: Session, *, actor: Actor, certificate_id: int, reason: str) -> None:
    """Refuse it, with the reason."""
    certificate = _kept(session, actor, certificate_id)
    if not reason.strip():
        raise UsageError("Why is it refused?", remedy="Write the reason: the holder reads it.")
    move(session, actor, certificate, CertificateState.REFUSED, note=reason, ended_at=now())


def certification_of(session: Session, study_id: int) -> Certification:
    """What the study's protocol asks of certificates at this moment."""
    in_force = read_protocols(session, [study_id]).at(study_id, now())
    return Certification() if in_force is None else in_force.protocol.certification


def may_ask(actor: Actor, holder: Holder) -> bool:
    """Whether this person may ask for a certificate of this device or technician."""
    where = {"study_id": holder.study_id, "site_id": holder.site_id}
    if actor.has_role(*KEEPERS, **where):
        return True
    is_own = holder.technician_id is None or (holder.user_id is not None and holder.user_id == actor.user_id)
    return is_own and actor.has_role(Role.SITE_TECHNICIAN, **where)


def _refuse_unless_may_ask(actor: Actor, holder: Holder) -> None:
    if not may_ask(actor, holder):
        raise NotAllowedError(
            f"You cannot ask for a certificate of {holder.code}.",
            remedy="A manager can, and a site's technician for its devices and for the own person.",
        )


def _replace(session: Session, actor: Actor, former: CertificateRow, *, at: datetime) -> None:
    # Where it ended before (software change), it keeps that moment.
    ended_at = former.ended_at or at
    move(session, actor, former, CertificateState.REPLACED, note="A newer certificate was granted.", ended_at=ended_at)


def _refuse_unless_shown(session: Session, certificate: CertificateRow, rules: Certification) -> None:
    shown = read_scans_shown(session, [certificate.id]).get(certificate.id, ())
    n_good = len({scan.acquisition_id for scan in shown if scan.is_gradable})
    if n_good < rules.n_evidence:
        raise IllegalMoveError(
            f"{n_good} of the captures shown {'is' if n_good == 1 else 'are'} gradable, and the protocol asks for "
            f"{rules.n_evidence}.",
            remedy="Show more captures, or refuse the certificate.",
        )


def _fault(scan_id: int, scan: EvidenceScan | None, certificate: CertificateRow, shown: set[int]) -> str | None:
    """Why a scan cannot be shown; None where it can."""
    if scan is None or scan.site_id != certificate.site_id:
        return "there is no such scan at this site"
    if scan_id in shown:
        return "it is shown already"
    if scan.kind != certificate.kind:
        return f"it is of another kind, {scan.kind.value}"
    if certificate.device_id is not None:
        return _fault_of_device(scan, certificate)
    return None if scan.technician_id == certificate.technician_id else "somebody else took it"


def _fault_of_device(scan: EvidenceScan, certificate: CertificateRow) -> str | None:
    if scan.device_id != certificate.device_id:
        return "another device took it"
    if scan.software_version and scan.software_version != certificate.software_version:
        return f"it was taken by software {scan.software_version}, not {certificate.software_version}"
    return None


def _found(session: Session, certificate_id: int) -> CertificateRow:
    certificate = store.read_certificate(session, certificate_id)
    if certificate is None:
        raise NotFoundError(f"There is no certificate {certificate_id}.", remedy="Choose one from the list.")
    return certificate


def _kept(session: Session, actor: Actor, certificate_id: int) -> CertificateRow:
    """The certificate, for somebody who decides about it."""
    certificate = _found(session, certificate_id)
    if not actor.has_role(*KEEPERS, study_id=certificate.study_id, site_id=certificate.site_id):
        raise NotAllowedError("Only a manager of the site decides about certificates.", remedy="Ask one of them.")
    holder = _holder(session, certificate)
    if holder.user_id is not None and holder.user_id == actor.user_id:
        raise NotAllowedError("Nobody decides about the own certificate.", remedy="Leave it to another manager.")
    return certificate


def _holder(session: Session, certificate: CertificateRow) -> Holder:
    holder = store.find_holder(session, device_id=certificate.device_id, technician_id=certificate.technician_id)
    assert holder is not None, "who sees a certificate sees its holder"
    return holder


def _person(actor: Actor) -> int:
    if actor.user_id is None:
        raise NotAllowedError("Only people ask for certificates.", remedy="Log in.")
    return actor.user_id
