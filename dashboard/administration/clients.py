"""Clients of the API on the Admin page: which programs there are, their tokens, the forms that make and end both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st
from sqlalchemy.orm import Session

from core.clock import now
from core.store.access import Actor
from core.store.administration import SiteRow, StudyRow
from core.store.api_client import ClientRow, TokenRow, list_clients, list_tokens
from core.usecases.administer_clients import (
    CLIENT_ROLES,
    MAX_LIFETIME,
    add_client,
    end_client,
    issue_token,
    revoke_token,
)
from core.vocabulary import ApiScope, Role
from core.wording import ROLE_NAMES
from dashboard.administration.places import draw_list
from dashboard.administration.steps import adding, perform
from dashboard.session import open_session

SCOPE_NAMES = {
    ApiScope.READ_PLACES: "Read studies, sites, devices, protocol",
    ApiScope.READ_SCANS: "Read scans, images, worklist",
    ApiScope.READ_RATES: "Read rates, trends, causes",
    ApiScope.READ_WORK: "Read requests, questions, actions, alerts",
    ApiScope.READ_UPLOADS: "Read uploads and receipts",
    ApiScope.READ_ADMINISTRATION: "Read accounts, roles, clients",
    ApiScope.READ_AUDIT: "Read the audit trail",
    ApiScope.WRITE_UPLOADS: "Send scans",
    ApiScope.WRITE_DECISIONS: "Decide about scans",
    ApiScope.WRITE_WORK: "Answer requests and questions",
    ApiScope.WRITE_REPORTS: "Ask for reports, change schedules",
    ApiScope.WRITE_CERTIFICATES: "Ask for and grant certificates",
    ApiScope.WRITE_VISITS: "Plan visits",
    ApiScope.WRITE_MODELS: "Score scans again with another model",
    ApiScope.WRITE_PROTOCOL: "Publish protocol versions",
}
EVERY_STUDY = "Every study (administrators only)"
CAPTION = (
    "A client is a program with an account of its own: it sees what its roles let it see, does what its scopes let it "
    "do, and stands in the audit trail under its name. You answer for those that you make: they end when your account "
    "is disabled or you may no longer give such roles. How to call the API stands in docs/api.md."
)
USUAL_DAYS = 90


@dataclass(frozen=True, slots=True)
class _ClientLine:
    name: str
    roles: str
    where: str
    scopes: str
    owner: str
    state: str


@dataclass(frozen=True, slots=True)
class _TokenLine:
    client: str
    prefix: str
    expires: str
    used: str
    state: str


def draw_clients(study: StudyRow, sites: Sequence[SiteRow], actor: Actor) -> None:
    """The chosen study's clients (and those of every study) with their tokens, and what can be done about them."""
    with open_session() as session:
        clients = [each for each in list_clients(session) if each.study_id in {None, study.id}]
        tokens = [each for each in list_tokens(session) if each.client_id in {client.id for client in clients}]
    moment = now()
    columns = {
        "name": "Client", "roles": "Roles", "where": "Where", "scopes": "Scopes", "owner": "Made by", "state": "State",
    }  # fmt: skip
    lines = [_client_line(each, sites) for each in clients]
    draw_list(lines, columns, key="clients", nothing=("No clients yet", "Programs get their tokens here."))
    names = {client.id: client.name for client in clients}
    if tokens:
        st.subheader("Tokens")
        columns = {"client": "Client", "prefix": "Begins with", "expires": "Until", "used": "Last used (UTC)",
                   "state": "State"}  # fmt: skip
        draw_list([_token_line(each, names, moment) for each in tokens], columns, key="tokens", nothing=("", ""))
    st.caption(CAPTION)
    _draw_adding(study, sites, actor)
    live = [each for each in clients if each.ended_at is None]
    if live:
        _draw_issuing(live)
        _draw_ending(live, [each for each in tokens if each.is_live(moment)], names)


def _client_line(client: ClientRow, sites: Sequence[SiteRow]) -> _ClientLine:
    codes = {site.id: f"{site.code} · {site.name}" for site in sites}
    where = "every study" if client.study_id is None else codes.get(client.site_id or 0, "all sites")
    state = "ended" if client.ended_at else "active" if client.is_owner_able else "stopped: its maker may not grant it"
    roles = ", ".join(ROLE_NAMES[role] for role in client.roles)
    return _ClientLine(client.name, roles, where, ", ".join(client.scopes), client.owner_name, state)


def _token_line(token: TokenRow, names: dict[int, str], moment: datetime) -> _TokenLine:
    state = "active" if token.is_live(moment) else "revoked" if token.revoked_at else "expired"
    used = f"{token.last_used_at:%d %b %Y, %H:%M}" if token.last_used_at else "never"
    return _TokenLine(names[token.client_id], token.prefix, f"{token.expires_at:%d %b %Y}", used, state)


def _draw_adding(study: StudyRow, sites: Sequence[SiteRow], actor: Actor) -> None:
    is_global = any(grant.role is Role.ADMIN and grant.study_id is None for grant in actor.grants)
    with adding("Add a client", "client"):
        name = st.text_input("Name", placeholder="Image archive of Leipzig")
        left, right = st.columns(2)
        roles = left.multiselect("Roles", CLIENT_ROLES, format_func=ROLE_NAMES.__getitem__, select_all=False)
        wheres: list[SiteRow | str | None] = [None, *sites, *([EVERY_STUDY] if is_global else [])]
        where = right.selectbox("Where", wheres, format_func=_where_words)
        scopes = st.multiselect("Scopes", list(ApiScope), format_func=SCOPE_NAMES.__getitem__, select_all=False)
        days = _draw_days()
        if st.form_submit_button("Add client", type="primary"):
            study_id = None if where == EVERY_STUDY else study.id
            site_id = where.id if isinstance(where, SiteRow) else None

            def step(session: Session, by: Actor) -> str:
                client_id = add_client(
                    session, actor=by, name=name, scopes=scopes, roles=roles, study_id=study_id, site_id=site_id
                )
                return _issue(session, by, client_id, name, days)

            perform(step)


def _draw_issuing(live: Sequence[ClientRow]) -> None:
    with adding("Give a client another token", "token", icon="key"):
        client = st.selectbox("Client", live, format_func=lambda each: each.name)
        days = _draw_days()
        if st.form_submit_button("Make token", type="primary"):
            perform(lambda session, by: _issue(session, by, client.id, client.name, days))


def _draw_ending(live: Sequence[ClientRow], tokens: Sequence[TokenRow], names: dict[int, str]) -> None:
    with adding("Revoke a token, or end a client", "ending", icon="remove"):
        choices: list[TokenRow | ClientRow] = [*tokens, *live]
        chosen = st.selectbox("Which one", choices, format_func=lambda each: _ending_words(each, names))
        reason = st.text_input("Reason", placeholder="optional; kept in the audit trail")
        if st.form_submit_button("End it", type="primary"):
            perform(lambda session, by: _end(session, by, chosen, reason))


def _draw_days() -> int:
    return int(st.number_input("Valid for days", 1, MAX_LIFETIME.days, USUAL_DAYS, help="The token ends by itself."))


def _where_words(where: SiteRow | str | None) -> str:
    match where:
        case None:
            return "All sites of the study"
        case str():
            return where
    return f"{where.code} · {where.name}"


def _ending_words(each: TokenRow | ClientRow, names: dict[int, str]) -> str:
    if isinstance(each, TokenRow):
        return f"Token {each.prefix} of {names[each.client_id]}"
    return f"Client {each.name} with all its tokens"


def _issue(session: Session, actor: Actor, client_id: int, name: str, days: int) -> str:
    fresh = issue_token(session, actor=actor, client_id=client_id, lifetime=timedelta(days=days), now=now())
    return (
        f"Token of {name.strip()}, shown once, valid until {fresh.expires_at:%d %b %Y}: `{fresh.token}`. "
        "Put it where the program keeps its secrets."
    )


def _end(session: Session, actor: Actor, chosen: TokenRow | ClientRow, reason: str) -> str:
    if isinstance(chosen, TokenRow):
        revoke_token(session, actor=actor, token_id=chosen.id, reason=reason)
        return f"The token {chosen.prefix} is revoked; its next request is refused."
    end_client(session, actor=actor, client_id=chosen.id, reason=reason)
    return f"The client {chosen.name} has ended, with all its tokens."
