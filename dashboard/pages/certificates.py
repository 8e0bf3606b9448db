"""Certificates: which devices and technicians hold one, which end soon, and the way to the next. Load, choose, draw."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from core.clock import now
from core.store.access import Actor
from core.store.administration import list_studies
from core.store.certificate import (
    CertificateRow,
    Holder,
    find_holder,
    list_holders,
    read_certificate,
    read_certificates,
    read_steps,
)
from core.store.evidence import list_candidates, read_scans_shown
from core.store.scan_filter import ScanFilter
from core.usecases.acknowledge_flag import KEEPERS
from core.usecases.certify import certification_of, may_ask
from core.vocabulary import CertificateState
from dashboard.administration.steps import draw_outcome, fresh_key, popping_up
from dashboard.components.certificate_forms import (
    choose_holder,
    draw_decision,
    draw_more_evidence,
    draw_request,
    draw_suspension,
)
from dashboard.components.certificate_table import (
    STATE_WORDS,
    certificate_table,
    certificate_words,
    evidence_table,
    steps_table,
)
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.panel import empty_state, panel
from dashboard.filters import MAX_ID, Field, draw_filters
from dashboard.session import current_user, open_session

_ASKED = (CertificateState.REQUESTED, CertificateState.UNDER_REVIEW)
COLUMNS = {
    "site": "Code of the site",
    "holder": "Code of the device or technician",
    "what": "device or technician",
    "kind": "Kind of scan that it is for",
    "serial": "Serial number of the device when it was asked for",
    "software": "Software version that it is for; empty for technicians",
    "state": "What it amounts to today",
    "certified_at": "When it was granted (UTC); empty before",
    "expires_on": "Its last day; empty before it is granted",
    "captures_shown": "Scans shown as evidence (count)",
}


def main() -> None:
    """Draw the page."""
    today, actor = now().date(), current_user()
    st.title("Certificates")
    draw_outcome()
    with open_session() as session:
        chosen = draw_filters(session, (Field.STUDY, Field.SITE), today=today)
        rows = read_certificates(session, study_id=chosen.study_id, site_id=chosen.site_id)
        ended = read_certificates(session, study_id=chosen.study_id, site_id=chosen.site_id, is_history=True)
    _draw_chosen(actor, today)
    if rows:
        panel(certificate_words(rows, today), key="words")
        panel(certificate_table(rows, today), key="table")
        data = [_line(row, today) for row in rows]
        draw_chart_data(ChartData("certificates", data, COLUMNS), behind="table")
    else:
        empty_state(
            "No certificates", "Ask for one below: a device or technician, and scans that show what it can do.",
            key="empty",
        )  # fmt: skip
    _draw_asking(actor, chosen)
    if ended:
        with st.expander(f"Refused and replaced: {len(ended)}"):
            panel(certificate_table(ended, today), key="ended")


def _draw_chosen(actor: Actor, today: date) -> None:
    """The certificate in the URL with its evidence and steps, and what may be done with it."""
    text = st.query_params.get("certificate", "")
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_ID):
        return
    with open_session() as session:
        certificate = read_certificate(session, int(text))
        if certificate is None:
            empty_state("No such certificate", "It is not there, or of a site that is not yours.", key="no-such")
            return
        shown = read_scans_shown(session, [certificate.id]).get(certificate.id, ())
        steps = read_steps(session, certificate.id)
        holder = find_holder(session, device_id=certificate.device_id, technician_id=certificate.technician_id)
        rules = certification_of(session, certificate.study_id)
        candidates = () if holder is None else list_candidates(session, holder, certificate.kind)
    assert holder is not None, "who sees a certificate sees its holder"
    st.subheader(f"{certificate.holder_code}: {STATE_WORDS[certificate.standing_on(today)].lower()}")
    left, right = st.columns((3, 2), gap="large")
    with left:
        panel(evidence_table(shown, rules.n_evidence), key="evidence")
        if certificate.state in _ASKED and may_ask(actor, holder):
            known = {scan.scan_id for scan in shown}
            left_over = [scan for scan in candidates if scan.scan_id not in known]
            draw_more_evidence(certificate, left_over, rules.n_evidence)
    with right:
        panel(steps_table(steps), key="steps")
    if actor.has_role(*KEEPERS, study_id=certificate.study_id, site_id=certificate.site_id):
        _draw_moves(certificate, today)
    st.button("Close", icon=":material/close:", type="tertiary", on_click=_close)
    st.divider()


def _draw_moves(certificate: CertificateRow, today: date) -> None:
    if certificate.state in _ASKED:
        draw_decision(certificate)
    elif certificate.standing_on(today) is CertificateState.CERTIFIED:
        with popping_up(f"Suspend {certificate.holder_code}", "certificate.suspend", icon="block"):
            draw_suspension(certificate)


def _draw_asking(actor: Actor, chosen: ScanFilter) -> None:
    """The form for a new one, for whom the person may ask."""
    with open_session() as session:
        studies = [chosen.study_id] if chosen.study_id is not None else [each.id for each in list_studies(session)]
        holders: Sequence[Holder] = [
            holder
            for study_id in studies
            for holder in list_holders(session, study_id)
            if may_ask(actor, holder) and chosen.site_id in {None, holder.site_id}
        ]
    if not holders:
        return
    with st.expander("Ask for a certificate", icon=":material/add:", key=fresh_key("certificate.expander")):
        holder, kind = choose_holder(holders)
        with open_session() as session:
            candidates = list_candidates(session, holder, kind)
            rules = certification_of(session, holder.study_id)
        draw_request(holder, kind, candidates, rules.n_evidence)


def _line(row: CertificateRow, today: date) -> dict[str, object]:
    return {
        "site": row.site_code,
        "holder": row.holder_code,
        "what": "device" if row.device_id is not None else "technician",
        "kind": row.kind.value,
        "serial": row.serial,
        "software": row.software_version,
        "state": STATE_WORDS[row.standing_on(today)],
        "certified_at": "" if row.certified_at is None else f"{row.certified_at:%Y-%m-%d %H:%M}",
        "expires_on": row.expires_on or "",
        "captures_shown": row.n_evidence,
    }


def _close() -> None:
    st.query_params.pop("certificate", None)


main()
