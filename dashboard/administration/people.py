"""Users and their grants on the Admin page: who there is, who may do what, and the forms that change it."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Account, AccountGrant, Actor
from core.store.administration import SiteRow, StudyRow
from core.usecases.administer_users import (
    add_user,
    disable_user,
    enable_user,
    grant_role,
    reset_password,
    revoke_grant,
)
from core.usecases.end_sessions import revoke_sessions
from core.vocabulary import Role
from core.wording import ROLE_NAMES
from dashboard.administration.places import draw_list
from dashboard.administration.steps import adding, perform


@dataclass(frozen=True, slots=True)
class _UserLine:
    name: str
    display_name: str
    state: str
    last_seen: str


@dataclass(frozen=True, slots=True)
class _GrantLine:
    user: str
    role: str
    where: str
    until: str


def draw_users(accounts: Sequence[Account], *, is_global_admin: bool) -> None:
    """Everybody this administrator may see; accounts themselves are kept by administrators of all studies."""
    lines = [_user_line(account) for account in accounts]
    columns = {"name": "Login", "display_name": "Name", "state": "State", "last_seen": "Last seen (UTC)"}
    draw_list(lines, columns, key="users", nothing=("No users", "Add the first one below."))
    if not is_global_admin:
        st.caption("Users are added, disabled and reset by an administrator of all studies.")
        return
    with adding("Add a user", "user"):
        name = st.text_input("Login", placeholder="a.meier")
        display_name = st.text_input("Name", placeholder="Anna Meier")
        if st.form_submit_button("Add user", type="primary"):
            perform(lambda session, actor: _add_user(session, actor, name, display_name))
    with adding("Change an account", "account", icon="manage_accounts"):
        account = st.selectbox("User", accounts, format_func=lambda each: f"{each.name} · {each.display_name}")
        reason = st.text_input("Reason", placeholder="optional; kept in the audit trail")
        left, middle, right = st.columns(3)
        if left.form_submit_button("New password", width="stretch"):
            perform(lambda session, actor: _reset(session, actor, account))
        if middle.form_submit_button("Sign out everywhere", width="stretch"):
            perform(lambda session, _: _sign_out(session, account))
        word = "Disable" if account is None or account.disabled_at is None else "Enable again"
        if right.form_submit_button(word, width="stretch"):
            perform(lambda session, actor: _switch(session, actor, account, reason))


def _user_line(account: Account) -> _UserLine:
    state = "disabled" if account.disabled_at else "first login pending" if account.must_change_password else "active"
    seen = f"{account.last_seen_at:%d %b %Y, %H:%M}" if account.last_seen_at else "never"
    return _UserLine(account.name, account.display_name, state, seen)


def _add_user(session: Session, actor: Actor, name: str, display_name: str) -> str:
    login = add_user(session, actor=actor, name=name, display_name=display_name)
    return (
        f"User {login.name} is there. First password, shown once: `{login.password}`. "
        "It must be changed at the first login. Give the user a role next."
    )


def _reset(session: Session, actor: Actor, account: Account) -> str:
    password = reset_password(session, actor=actor, user_id=account.user_id)
    return f"New password of {account.name}, shown once: `{password}`. All sessions of {account.name} have ended."


def _sign_out(session: Session, account: Account) -> str:
    n_ended = revoke_sessions(session, user_id=account.user_id)
    return f"{n_ended} session{'' if n_ended == 1 else 's'} of {account.name} ended."


def _switch(session: Session, actor: Actor, account: Account, reason: str) -> str:
    if account.disabled_at is None:
        disable_user(session, actor=actor, user_id=account.user_id, reason=reason)
        return f"{account.name} is disabled and signed out everywhere."
    enable_user(session, actor=actor, user_id=account.user_id, reason=reason)
    return f"{account.name} can log in again."


def draw_grants(
    study: StudyRow | None, sites: Sequence[SiteRow], accounts: Sequence[Account], grants: Sequence[AccountGrant]
) -> None:
    """Who has which role in the chosen study, a form to give one and one to take one back."""
    live = [each for each in grants if each.revoked_at is None and _reaches(each, study)]
    names = {account.user_id: account.name for account in accounts}
    lines = {each.grant_id: _grant_line(each, names, sites) for each in live}
    columns = {"user": "Login", "role": "Role", "where": "Where", "until": "Until"}
    advice = "Without a role a user sees nothing. Give one below."
    draw_list(list(lines.values()), columns, key="grants", nothing=("No roles given yet", advice))
    if study is not None and accounts:
        _draw_grant_form(study, sites, accounts)
    if live:
        with adding("Take a role back", "revoke", icon="remove"):
            grant_id = st.selectbox(
                "Role",
                list(lines),
                format_func=lambda each: f"{lines[each].user} · {lines[each].role} · {lines[each].where}",
            )
            reason = st.text_input("Reason", placeholder="optional; kept in the audit trail")
            if st.form_submit_button("Take back", type="primary"):
                perform(lambda session, actor: _revoke(session, actor, grant_id, reason))


def _reaches(grant: AccountGrant, study: StudyRow | None) -> bool:
    return grant.grant.study_id is None or (study is not None and grant.grant.study_id == study.id)


def _grant_line(line: AccountGrant, names: dict[int, str], sites: Sequence[SiteRow]) -> _GrantLine:
    codes = {site.id: f"{site.code} · {site.name}" for site in sites}
    if line.grant.study_id is None:
        where = "every study"
    else:
        where = "all sites" if line.grant.site_id is None else codes.get(line.grant.site_id, "another site")
    until = f"{line.expires_at:%Y-%m-%d}" if line.expires_at else "no end"
    return _GrantLine(names.get(line.user_id, "unknown"), ROLE_NAMES[line.grant.role], where, until)


def _draw_grant_form(study: StudyRow, sites: Sequence[SiteRow], accounts: Sequence[Account]) -> None:
    with adding("Give a role", "grant"):
        account = st.selectbox("User", accounts, format_func=lambda each: f"{each.name} · {each.display_name}")
        role = Role(
            st.selectbox("Role", [each.value for each in Role], format_func=lambda each: ROLE_NAMES[Role(each)])
        )
        site = st.selectbox(
            "Where",
            [None, *sites],
            format_func=lambda each: f"{each.code} · {each.name}" if each else "All sites of the study",
        )
        if st.form_submit_button("Give role", type="primary"):
            perform(lambda session, actor: _grant(session, actor, account, role, study, site))


def _grant(  # noqa: PLR0917 - one form
    session: Session, actor: Actor, account: Account, role: Role, study: StudyRow, site: SiteRow | None
) -> str:
    grant_role(
        session, actor=actor, user_id=account.user_id, role=role, study_id=study.id, site_id=site.id if site else None
    )
    return f"{account.name} is {ROLE_NAMES[role].lower()} at {site.code if site else 'all sites of ' + study.code}."


def _revoke(session: Session, actor: Actor, grant_id: int, reason: str) -> str:
    revoke_grant(session, actor=actor, grant_id=grant_id, reason=reason)
    return "The role was taken back; it ends at the person's next click."
