"""Forms about certificates: ask for one, show scans, look at the evidence, grant, refuse, suspend the holder."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.certificate import CertificateRow, Holder
from core.store.evidence import EvidenceScan
from core.usecases.act_on_unit import suspend_device, suspend_technician
from core.usecases.certify import (
    LONGEST_NOTE,
    grant_certificate,
    refuse_certificate,
    request_certificate,
    review_evidence,
    show_evidence,
)
from core.vocabulary import CertificateState, ScanKind
from core.wording import KIND_NAMES
from dashboard.administration.steps import Step, fresh_key, perform
from dashboard.components.certificate_table import evidence_words

OFFERED_KINDS = (ScanKind.OCTA_ENFACE, ScanKind.ONH_ENFACE, ScanKind.BSCAN, ScanKind.VOLUME)


def choose_holder(holders: Sequence[Holder]) -> tuple[Holder, ScanKind]:
    """Whose certificate, and for scans of which kind; outside the form, so that the scans offered are theirs."""
    left, right = st.columns(2)
    holder = left.selectbox(
        "Device or technician", holders, key=fresh_key("certificate.holder"),
        format_func=lambda each: f"{each.code} · {each.word}",
    )  # fmt: skip
    kind = right.selectbox("For", OFFERED_KINDS, key=fresh_key("certificate.kind"), format_func=KIND_NAMES.__getitem__)
    return holder, kind


def draw_request(holder: Holder, kind: ScanKind, candidates: Sequence[EvidenceScan], n_needed: int) -> None:
    """Ask for a certificate, with the first scans."""
    about = f"software {holder.software_version or 'not known'}, serial {holder.serial}" if holder.serial else ""
    with st.form(fresh_key(f"certificate.request.{holder.code}.{kind}"), border=False):
        if about:
            st.caption(f"For {about}. Another software version needs a new check.")
        scans = _choose_scans(candidates, n_needed)
        note = st.text_input("Note", placeholder="optional", max_chars=LONGEST_NOTE)
        if st.form_submit_button("Ask for it", type="primary"):

            def step(session: Session, actor: Actor) -> str:
                added = request_certificate(
                    session, actor=actor, holder=holder, kind=kind, scan_ids=[scan.scan_id for scan in scans],
                    note=note,
                )  # fmt: skip
                st.query_params["certificate"] = str(added)
                return f"A certificate of {holder.code} is asked for."

            perform(step)


def draw_more_evidence(certificate: CertificateRow, candidates: Sequence[EvidenceScan], n_needed: int) -> None:
    """Show more scans for one that was asked for."""
    with st.form(fresh_key(f"certificate.evidence.{certificate.id}"), border=False):
        scans = _choose_scans(candidates, n_needed)
        if st.form_submit_button("Show these scans"):

            def step(session: Session, actor: Actor) -> str:
                show_evidence(
                    session, actor=actor, certificate_id=certificate.id, scan_ids=[scan.scan_id for scan in scans]
                )
                return f"{len(scans)} scan{'' if len(scans) == 1 else 's'} shown for {certificate.holder_code}."

            perform(step)


def _choose_scans(candidates: Sequence[EvidenceScan], n_needed: int) -> list[EvidenceScan]:
    chosen: list[EvidenceScan] = st.multiselect(
        "Scans that show it", candidates, format_func=lambda scan: f"{evidence_words(scan)} · {scan.acquired_at:%d %b}",
        placeholder="accepted, gradable scans of the holder" if candidates else "no accepted scan of the holder yet",
        help=f"The protocol asks for {n_needed} gradable captures; two slabs of one capture count once.",
        select_all=False,
    )  # fmt: skip
    return chosen


def draw_decision(certificate: CertificateRow) -> None:
    """What a manager may do with one that was asked for, by where it stands."""
    who = certificate.holder_code
    with st.form(fresh_key(f"certificate.decision.{certificate.id}.{certificate.state}"), border=False):
        note = st.text_input("Note, or the reason of a refusal", max_chars=LONGEST_NOTE)
        with st.container(horizontal=True):
            if certificate.state is CertificateState.REQUESTED:
                if st.form_submit_button("Put under review", type="primary"):
                    perform(_reviewing(certificate.id, note, who))
            elif st.form_submit_button("Grant", type="primary", icon=":material/verified:"):
                perform(_granting(certificate.id, note, who))
            if st.form_submit_button("Refuse"):
                perform(_refusing(certificate.id, note, who))


def _reviewing(certificate_id: int, note: str, who: str) -> Step:
    def step(session: Session, actor: Actor) -> str:
        review_evidence(session, actor=actor, certificate_id=certificate_id, note=note)
        return f"The evidence of {who} is under review."

    return step


def _granting(certificate_id: int, note: str, who: str) -> Step:
    def step(session: Session, actor: Actor) -> str:
        last_day = grant_certificate(session, actor=actor, certificate_id=certificate_id, note=note)
        return f"{who} is certified until {last_day:%d %b %Y}."

    return step


def _refusing(certificate_id: int, note: str, who: str) -> Step:
    def step(session: Session, actor: Actor) -> str:
        refuse_certificate(session, actor=actor, certificate_id=certificate_id, reason=note)
        return f"The certificate of {who} is refused."

    return step


def draw_suspension(certificate: CertificateRow) -> None:
    """Suspend the holder: what is taken from now on counts as taken without a certificate."""
    with st.form(fresh_key(f"certificate.suspend.{certificate.id}"), border=False):
        reason = st.text_input("Reason (required)", max_chars=LONGEST_NOTE)
        if st.form_submit_button("Suspend", type="primary"):

            def step(session: Session, actor: Actor) -> str:
                if certificate.device_id is not None:
                    suspend_device(session, actor=actor, device_id=certificate.device_id, reason=reason)
                else:
                    assert certificate.technician_id is not None, "a certificate has a holder (check constraint)"
                    suspend_technician(session, actor=actor, technician_id=certificate.technician_id, reason=reason)
                return f"{certificate.holder_code} is suspended. Lift it on the page Actions."

            perform(step)
    st.caption("It holds for every certificate of the holder, until it is lifted on the page Actions.")
