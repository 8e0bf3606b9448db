"""Accounts, sessions and scope as functions, so that the dashboard's role needs no access to the tables behind them.

Every function runs with its owner's rights (SECURITY DEFINER) under a fixed search_path. The dashboard's role can
neither read a password hash nor make a session without the password: it computes Argon2 with the account's salt, and
the comparison happens here. What a session may do follows from its token, put into each transaction by
core.database.session, and from nothing else that the role could set.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

SQL = "language sql stable security definer set search_path = public, pg_temp"
PLPGSQL = "language plpgsql volatile security definer set search_path = public, pg_temp"

SCOPE = {
    # Only the token's hash is stored; '' and NULL (no token) hash to nothing that is.
    "session_id()": (
        f"returns bigint {SQL}",
        """
        select s.id from session s join app_user u on u.id = s.user_id
        where s.token_sha256 = encode(sha256(convert_to(current_setting('octaudit.session', true), 'UTF8')), 'hex')
          and s.revoked_at is null and s.expires_at > statement_timestamp() and u.disabled_at is null
        """,
    ),
    "current_user_id()": (f"returns bigint {SQL}", "select s.user_id from session s where s.id = session_id()"),
    "own_grants()": (
        f"returns setof site_grant {SQL}",
        """
        select g.* from site_grant g
        where g.user_id = current_user_id() and g.revoked_at is null
          and (g.expires_at is null or g.expires_at > statement_timestamp())
        """,
    ),
    "scoped_sites_as(roles text[])": (
        f"returns bigint[] {SQL}",
        """
        select coalesce(array_agg(s.id), '{}') from site s
        where exists (select from own_grants() g
                      where (roles is null or g.role = any (roles))
                        and (g.study_id is null or g.study_id = s.study_id)
                        and (g.site_id is null or g.site_id = s.id))
        """,
    ),
    "scoped_sites()": (f"returns bigint[] {SQL}", "select scoped_sites_as(null)"),
    "scoped_studies()": (
        f"returns bigint[] {SQL}",
        """
        select coalesce(array_agg(t.id), '{}') from study t
        where exists (select from own_grants() g where g.study_id is null or g.study_id = t.id)
        """,
    ),
    "whole_studies_as(roles text[])": (
        f"returns bigint[] {SQL}",
        """
        select coalesce(array_agg(t.id), '{}') from study t
        where exists (select from own_grants() g
                      where (roles is null or g.role = any (roles)) and g.site_id is null
                        and (g.study_id is null or g.study_id = t.id))
        """,
    ),
    "is_global_admin()": (
        f"returns boolean {SQL}",
        "select exists (select from own_grants() g where g.role = 'admin' and g.study_id is null)",
    ),
    "scoped_users()": (
        f"returns bigint[] {SQL}",
        """
        select coalesce(array_agg(u.id), '{}') from app_user u
        where u.id = current_user_id() or is_global_admin()
           or exists (select from site_grant g where g.user_id = u.id
                      and (g.study_id = any (scoped_studies())
                           or (g.study_id is null and cardinality(scoped_studies()) > 0)))
        """,
    ),
    # Set by the login itself, so it cannot be set by a statement: the operator's commands connect as the owner.
    "is_operator()": (f"returns boolean {SQL}", "select session_user = 'octaudit_owner'"),
    "may_grant(study bigint)": (
        f"returns boolean {SQL}",
        """
        select is_operator() or is_global_admin()
            or (study is not null and study = any (whole_studies_as('{admin}')))
        """,
    ),
}

SESSIONS = {
    "login_parameters(login_name text)": (
        f"returns text {SQL}",
        r"""
        -- '$argon2id$v=19$m=..,t=..,p=..$salt': all of the stored hash but the hash.
        select substring(u.password_hash from '^(.*)\$[^$]*$') from app_user u
        where u.name = lower(login_name) and u.disabled_at is null
        """,
    ),
    "open_session(login_name text, offered_hash text, token_hash text, idle interval, lifetime interval, new_hash text)": (
        f"returns bigint {PLPGSQL}",
        """
        declare
          account app_user%rowtype;
          opened bigint;
        begin
          select * into account from app_user u where u.name = lower(login_name) for update;
          if not found or account.disabled_at is not null or account.password_hash is null
             or account.locked_until > clock_timestamp() then
            return null;
          end if;
          if account.password_hash is distinct from offered_hash then
            -- From the fifth wrong password on: 15 s, 30 s, 1 min ... 15 min.
            update app_user set failed_logins = account.failed_logins + 1,
              locked_until = case when account.failed_logins + 1 >= 5
                then clock_timestamp() + least(interval '15 minutes',
                                               interval '15 seconds' * 2 ^ least(account.failed_logins - 4, 10)) end
            where id = account.id;
            insert into audit_event (actor_id, action, entity, entity_id)
            values (null, 'log_in_failed', 'user', account.id);
            return null;
          end if;
          update app_user set failed_logins = 0, locked_until = null,
            password_hash = coalesce(new_hash, password_hash) where id = account.id;
          insert into session (token_sha256, user_id, last_seen_at, idle_timeout, ends_at, expires_at)
          values (token_hash, account.id, now(), idle, now() + lifetime, now() + least(idle, lifetime))
          returning id into opened;
          insert into audit_event (actor_id, action, entity, entity_id)
          values (account.id, 'log_in', 'session', opened);
          return account.id;
        end
        """,
    ),
    "session_actor()": (
        "returns table (user_id bigint, name text, display_name text, must_change_password boolean, grants jsonb) "
        + PLPGSQL,
        """
        #variable_conflict use_column
        begin
          -- A use moves the idle limit on, at most once a minute, and never waits for a page that is doing so.
          update session s set last_seen_at = now(), expires_at = least(s.ends_at, now() + s.idle_timeout)
          from (select id from session where id = session_id() and last_seen_at < now() - interval '1 minute'
                for update skip locked) used
          where s.id = used.id;
          return query
          select u.id, u.name::text, u.display_name::text, u.must_change_password,
                 coalesce((select jsonb_agg(jsonb_build_object(
                             'role', g.role, 'study_id', g.study_id, 'site_id', g.site_id) order by g.id)
                           from own_grants() g), '[]')
          from app_user u where u.id = current_user_id();
        end
        """,
    ),
    "close_session()": (
        f"returns void {PLPGSQL}",
        """
        declare
          closing bigint := session_id();
        begin
          if closing is not null then
            insert into audit_event (actor_id, action, entity, entity_id)
            values (current_user_id(), 'log_out', 'session', closing);
            update session set revoked_at = now() where id = closing;
          end if;
        end
        """,
    ),
    "change_own_password(offered_hash text, new_hash text)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          own bigint := current_user_id();
        begin
          update app_user set password_hash = new_hash, must_change_password = false
          where id = own and password_hash = offered_hash;
          if not found then
            return false;
          end if;
          update session set revoked_at = now() where user_id = own and revoked_at is null and id <> session_id();
          return true;
        end
        """,
    ),
}

ACCOUNTS = {
    "refuse_unless(is_allowed boolean, what text)": (
        "returns void language plpgsql immutable set search_path = public, pg_temp",
        """
        begin
          if is_allowed is not true then
            raise exception using errcode = 'insufficient_privilege', message = what;
          end if;
        end
        """,
    ),
    "add_account(login_name text, full_name text, first_hash text)": (
        f"returns bigint {PLPGSQL}",
        """
        declare
          added bigint;
        begin
          perform refuse_unless(is_operator() or is_global_admin(), 'only an administrator of all studies adds users');
          insert into app_user (name, display_name, password_hash, must_change_password)
          values (lower(login_name), full_name, first_hash, true) returning id into added;
          return added;
        end
        """,
    ),
    "set_account_password(account bigint, first_hash text)": (
        f"returns boolean {PLPGSQL}",
        """
        begin
          perform refuse_unless(is_operator() or is_global_admin(),
                                'only an administrator of all studies resets passwords');
          update app_user set password_hash = first_hash, must_change_password = true, failed_logins = 0,
            locked_until = null where id = account;
          update session set revoked_at = now() where user_id = account and revoked_at is null;
          return exists (select from app_user where id = account);
        end
        """,
    ),
    "set_account_disabled(account bigint, is_disabled boolean)": (
        f"returns boolean {PLPGSQL}",
        """
        begin
          perform refuse_unless(is_operator() or is_global_admin(),
                                'only an administrator of all studies disables users');
          update app_user set disabled_at = case when is_disabled then coalesce(disabled_at, now()) end
          where id = account;
          if is_disabled then
            update session set revoked_at = now() where user_id = account and revoked_at is null;
          end if;
          return exists (select from app_user where id = account);
        end
        """,
    ),
    "revoke_sessions(account bigint)": (
        f"returns bigint {PLPGSQL}",
        """
        declare
          n_revoked bigint;
        begin
          perform refuse_unless(is_operator() or is_global_admin() or account = current_user_id(),
                                'only an administrator of all studies ends the sessions of others');
          update session set revoked_at = now()
          where user_id = account and revoked_at is null and expires_at > now();
          get diagnostics n_revoked = row_count;
          return n_revoked;
        end
        """,
    ),
    "add_grant(account bigint, granted_role text, study bigint, site bigint, until timestamptz)": (
        f"returns bigint {PLPGSQL}",
        """
        declare
          added bigint;
        begin
          perform refuse_unless(may_grant(study), 'only an administrator of the study grants roles in it');
          if site is not null and not exists (select from site s where s.id = site and s.study_id = study) then
            raise exception using errcode = 'check_violation', message = 'the site does not belong to the study';
          end if;
          insert into site_grant (user_id, role, study_id, site_id, expires_at)
          values (account, granted_role, study, site, until) returning id into added;
          return added;
        end
        """,
    ),
    "revoke_grant(grant_id bigint)": (
        f"returns boolean {PLPGSQL}",
        """
        begin
          perform refuse_unless((select may_grant(g.study_id) from site_grant g where g.id = grant_id),
                                'only an administrator of the study revokes roles in it');
          update site_grant set revoked_at = now() where id = grant_id and revoked_at is null;
          return found;
        end
        """,
    ),
    "list_accounts()": (
        "returns table (id bigint, name text, display_name text, created_at timestamptz, disabled_at timestamptz, "
        f"locked_until timestamptz, must_change_password boolean, last_seen_at timestamptz) {SQL}",
        """
        select u.id, u.name, u.display_name, u.created_at, u.disabled_at, u.locked_until, u.must_change_password,
               (select max(s.last_seen_at) from session s where s.user_id = u.id)
        from app_user u
        where is_operator() or is_global_admin()
           or (u.id = any (scoped_users()) and cardinality(whole_studies_as('{admin}')) > 0)
        order by u.name
        """,
    ),
    "list_grants()": (
        "returns table (id bigint, user_id bigint, role text, study_id bigint, site_id bigint, created_at timestamptz, "
        f"expires_at timestamptz, revoked_at timestamptz) {SQL}",
        """
        select g.id, g.user_id, g.role, g.study_id, g.site_id, g.created_at, g.expires_at, g.revoked_at
        from site_grant g where may_grant(g.study_id) order by g.id
        """,
    ),
}

FUNCTIONS = SCOPE | SESSIONS | ACCOUNTS
INTERNAL = {"session_id()", "own_grants()", "may_grant(study bigint)"}
"""Called by the other functions alone."""


def signature(declaration: str) -> str:
    """``f(bigint, text)`` of ``f(a bigint, b text)``: how GRANT and DROP name a function."""
    name, _, arguments = declaration.rstrip(")").partition("(")
    return f"{name}({', '.join(argument.split()[-1] for argument in arguments.split(', ') if argument)})"


def upgrade() -> None:
    """Apply."""
    for declaration, (returns, body) in FUNCTIONS.items():
        op.execute(f"create function {declaration} {returns} as $function${body}$function$")
        op.execute(f"revoke all on function {signature(declaration)} from public")
        if declaration not in INTERNAL:
            op.execute(f"grant execute on function {signature(declaration)} to octaudit_dashboard")


def downgrade() -> None:
    """Undo."""
    for declaration in reversed(FUNCTIONS):
        op.execute(f"drop function {signature(declaration)}")
