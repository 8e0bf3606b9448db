"""Who came in, was refused or took data away stands in the audit trail; sessions can be listed; identities are linked.

- audit_event gets the meaning of a signature, and the indexes that the audit browser walks; audit_check holds what the
  keeper found when it recomputed the chain.
- Failed sign-ins of unknown, disabled and locked accounts, lock-outs, refusals and sessions that ran out are written
  down. What a stranger can cause without end is written once a minute.
- A password is guessed against one counter, wherever it is asked for: sign-in, signature, change of password.
- An identity provider's word opens a session only with the proof that its client secret is known, so the dashboard's
  role alone still cannot make a session. No identity makes an account or gives a right: it is linked to an account.
- Who works at one site knows the names of those who work there, of the whole study's people and of nobody else.

Revision 0024, after 0023.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

SQL = "language sql stable security definer set search_path = public, pg_temp"
PLPGSQL = "language plpgsql volatile security definer set search_path = public, pg_temp"
MOMENT = "timestamptz"

TRAIL_INDEXES = {
    "ix_audit_event_happened_at": ("happened_at", "id"),
    "ix_audit_event_study_id": ("study_id", "happened_at", "id"),
    "ix_audit_event_site_id": ("site_id", "happened_at", "id"),
    "ix_audit_event_actor_id": ("actor_id", "happened_at", "id"),
    "ix_audit_event_action": ("action", "happened_at", "id"),
}
"""One per filter of the audit browser, each in the order in which it is read."""

NEW_SESSION = """
          insert into session (token_sha256, user_id, last_seen_at, idle_timeout, ends_at, expires_at, client)
          values (token_hash, account.id, now(), idle, now() + lifetime, now() + least(idle, lifetime),
                  left(client_name, 100))
          returning id into opened;
"""
FUNCTIONS = {
    # Somebody of another site alone has nothing to do here; former people stay, for their names stand under what they did.
    "scoped_users()": (
        f"returns bigint[] {SQL}",
        """
        select coalesce(array_agg(u.id), '{}') from app_user u
        where u.id = (select current_user_id()) or (select is_global_admin())
           or exists (select from site_grant g where g.user_id = u.id and case
                when g.study_id is null then cardinality((select scoped_studies())::bigint[]) > 0
                when g.site_id is null then g.study_id = any ((select scoped_studies())::bigint[])
                else g.site_id = any ((select scoped_sites())::bigint[]) end)
        """,
    ),
    # From the fifth wrong password on: 15 s, 30 s, 1 min ... 15 min.
    "count_wrong_password(account bigint, what text, person bigint)": (
        f"returns void {PLPGSQL}",
        """
        declare
          until timestamptz;
        begin
          update app_user u set failed_logins = u.failed_logins + 1,
            locked_until = case when u.failed_logins + 1 >= 5
              then clock_timestamp() + least(interval '15 minutes',
                                             interval '15 seconds' * 2 ^ least(u.failed_logins - 4, 10)) end
          where u.id = account returning u.locked_until into until;
          insert into audit_event (actor_id, action, entity, entity_id)
          values (person, what, 'user', account);
          if until is not null then
            insert into audit_event (actor_id, action, entity, entity_id, after)
            values (null, 'locked_out', 'user', account, jsonb_build_object('until', until));
          end if;
        end
        """,
    ),
    # What anybody may cause without having signed in: once a minute for each account, and once for all others.
    "note_failed_login(account bigint, why text, told jsonb)": (
        f"returns void {PLPGSQL}",
        """
        begin
          if not exists (select from audit_event e where e.action = 'log_in_failed'
                         and e.happened_at > now() - interval '1 minute'
                         and e.entity_id is not distinct from account and e.reason = why) then
            insert into audit_event (actor_id, action, entity, entity_id, after, reason)
            values (null, 'log_in_failed', 'user', account, told, why);
          end if;
        end
        """,
    ),
    "open_session(login_name text, offered_hash text, token_hash text, idle interval, lifetime interval, new_hash text, client_name text)": (
        f"returns bigint {PLPGSQL}",
        f"""
        declare
          account app_user%rowtype;
          opened bigint;
        begin
          select * into account from app_user u where u.name = lower(login_name) for update;
          if not found then
            -- Without the name that was typed: people type their password into the wrong field.
            perform note_failed_login(null, 'unknown name', null);
            return null;
          elsif account.disabled_at is not null then
            perform note_failed_login(account.id, 'disabled', null);
            return null;
          elsif account.password_hash is null then
            perform note_failed_login(account.id, 'no password', null);
            return null;
          elsif account.locked_until > clock_timestamp() then
            perform note_failed_login(account.id, 'locked', null);
            return null;
          end if;
          if account.password_hash is distinct from offered_hash then
            perform count_wrong_password(account.id, 'log_in_failed', null);
            return null;
          end if;
          update app_user set failed_logins = 0, locked_until = null,
            password_hash = coalesce(new_hash, password_hash) where id = account.id;
          {NEW_SESSION}
          insert into audit_event (actor_id, action, entity, entity_id, after)
          values (account.id, 'log_in', 'session', opened, jsonb_build_object('by', 'password'));
          return account.id;
        end
        """,
    ),
    "open_session_by_identity(wanted_issuer text, wanted_subject text, proof text, token_hash text, idle interval, lifetime interval, client_name text)": (
        f"returns bigint {PLPGSQL}",
        f"""
        declare
          account app_user%rowtype;
          opened bigint;
          told jsonb := jsonb_build_object('by', 'identity', 'issuer', wanted_issuer, 'subject', left(wanted_subject, 255));
        begin
          perform refuse_unless(is_proven(wanted_issuer, proof), 'this identity provider is not trusted');
          select u.* into account from app_user u join user_identity i on i.user_id = u.id
          where i.issuer = wanted_issuer and i.subject = wanted_subject and i.ended_at is null for update of u;
          if not found then
            perform note_failed_login(null, 'identity without account', told);
            return null;
          elsif account.disabled_at is not null then
            perform note_failed_login(account.id, 'disabled', told);
            return null;
          end if;
          if account.must_change_password then
            -- The password that was made for the person, and known to who made it, has never been needed.
            update app_user set password_hash = null, must_change_password = false where id = account.id;
          end if;
          {NEW_SESSION}
          insert into audit_event (actor_id, action, entity, entity_id, after)
          values (account.id, 'log_in', 'session', opened, told);
          return account.id;
        end
        """,
    ),
    "check_own_password(offered_hash text)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          account app_user%rowtype;
        begin
          select * into account from app_user u where u.id = current_user_id() for update;
          if not found or account.password_hash is null or account.locked_until > clock_timestamp() then
            return false;
          end if;
          if account.password_hash = offered_hash then
            update app_user set failed_logins = 0, locked_until = null where id = account.id;
            return true;
          end if;
          perform count_wrong_password(account.id, 'sign_failed', account.id);
          return false;
        end
        """,
    ),
    "change_own_password(offered_hash text, new_hash text)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          account app_user%rowtype;
        begin
          select * into account from app_user u where u.id = current_user_id() for update;
          if not found or account.password_hash is null or account.locked_until > clock_timestamp() then
            return false;
          end if;
          if account.password_hash is distinct from offered_hash then
            perform count_wrong_password(account.id, 'change_password_failed', account.id);
            return false;
          end if;
          update app_user set password_hash = new_hash, must_change_password = false, failed_logins = 0,
            locked_until = null where id = account.id;
          insert into audit_event (actor_id, action, entity, entity_id)
          values (account.id, 'change_password', 'user', account.id);
          update session set revoked_at = now()
          where user_id = account.id and revoked_at is null and id <> session_id();
          return true;
        end
        """,
    ),
    # The event is written here: who ends the own session could not write it afterwards.
    "revoke_sessions(account bigint)": (
        f"returns bigint {PLPGSQL}",
        """
        declare
          n_revoked bigint;
          person bigint := current_user_id();
        begin
          perform refuse_unless(is_operator() or is_global_admin() or account = person,
                                'only an administrator of all studies ends the sessions of others');
          update session set revoked_at = now()
          where user_id = account and revoked_at is null and expires_at > now();
          get diagnostics n_revoked = row_count;
          insert into audit_event (actor_id, action, entity, entity_id, after)
          values (person, 'revoke_sessions', 'user', account, jsonb_build_object('n_revoked', n_revoked));
          return n_revoked;
        end
        """,
    ),
    "end_session(asked bigint)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          owner bigint;
          person bigint := current_user_id();
        begin
          select s.user_id into owner from session s where s.id = asked and s.revoked_at is null and s.expires_at > now();
          if owner is null or (owner is distinct from person and not is_global_admin() and not is_operator()) then
            return false;
          end if;
          update session set revoked_at = now() where id = asked;
          insert into audit_event (actor_id, action, entity, entity_id, before)
          values (person, 'end_session', 'session', asked, jsonb_build_object('user_id', owner));
          return true;
        end
        """,
    ),
    "live_sessions(account bigint)": (
        f"returns table (id bigint, opened_at {MOMENT}, last_seen_at {MOMENT}, expires_at {MOMENT}, client text, "
        f"is_own boolean) {SQL}",
        """
        select s.id, s.created_at, s.last_seen_at, s.expires_at, s.client::text, s.id is not distinct from session_id()
        from session s
        where s.user_id = account and s.revoked_at is null and s.expires_at > now()
          and (account = current_user_id() or is_global_admin() or is_operator())
        order by s.last_seen_at desc, s.id desc
        """,
    ),
    "end_expired_sessions()": (
        f"returns bigint {PLPGSQL}",
        """
        declare
          n_ended bigint;
        begin
          with over as (
            update session s set revoked_at = s.expires_at
            where s.id in (select e.id from session e where e.revoked_at is null and e.expires_at <= now()
                           order by e.expires_at limit 1000 for update skip locked)
            returning s.id, s.user_id, s.expires_at, s.ends_at)
          insert into audit_event (actor_id, action, entity, entity_id, after, reason)
          select null, 'session_expired', 'session', o.id,
                 jsonb_build_object('user_id', o.user_id, 'expired_at', o.expires_at),
                 case when o.expires_at >= o.ends_at then 'lifetime' else 'idle' end
          from over o order by o.expires_at;
          get diagnostics n_ended = row_count;
          return n_ended;
        end
        """,
    ),
    # Whatever a program tries in a loop: one line a minute for each thing tried, and thirty in all.
    "note_refusal(tried text, told text)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          person bigint := current_user_id();
          n_of_all bigint;
          n_of_these bigint;
        begin
          if person is null then
            return false;
          end if;
          perform pg_advisory_xact_lock(202411, person::integer);
          select count(*), count(*) filter (where e.after ->> 'tried' = tried) into n_of_all, n_of_these
          from audit_event e
          where e.actor_id = person and e.happened_at > now() - interval '1 minute' and e.action = 'permission_refused';
          if n_of_these > 0 or n_of_all >= 30 then
            return false;
          end if;
          insert into audit_event (actor_id, action, entity, entity_id, after, reason)
          values (person, 'permission_refused', 'permission', null, jsonb_build_object('tried', left(tried, 200)),
                  left(told, 500));
          return true;
        end
        """,
    ),
    "audit_chain_status()": (
        f"returns table (n_sealed bigint, sealed_at {MOMENT}, n_waiting bigint, waiting_since {MOMENT}) {SQL}",
        """
        with head as (select s.sequence, s.created_at from audit_seal s order by s.sequence desc limit 1),
        newest as (select coalesce(max(s.event_id), 0) - 1000 as id from audit_seal s),
        waiting as (select count(*) as n, min(e.happened_at) as since from audit_event e, newest
                    where e.id > newest.id and not exists (select from audit_seal s where s.event_id = e.id))
        select coalesce((select sequence from head), 0), (select created_at from head), waiting.n, waiting.since
        from waiting where is_global_admin() or cardinality(whole_studies_as('{manager,admin}')) > 0
        """,
    ),
    "is_proven(wanted_issuer text, proof text)": (
        f"returns boolean {SQL}",
        """
        select exists (select from identity_provider p where p.issuer = wanted_issuer and p.ended_at is null
                       and p.proof_sha256 = encode(sha256(convert_to(proof, 'UTF8')), 'hex'))
        """,
    ),
    "link_identity(account bigint, new_issuer text, new_subject text, proof text)": (
        f"returns bigint {PLPGSQL}",
        """
        declare
          linked bigint;
          person bigint := current_user_id();
        begin
          perform refuse_unless(is_operator() or is_global_admin()
                                or (account = person and is_proven(new_issuer, proof)),
                                'an identity is linked by its own person or by an administrator of all studies');
          insert into user_identity (user_id, issuer, subject) values (account, new_issuer, new_subject)
          returning id into linked;
          insert into audit_event (actor_id, action, entity, entity_id, after)
          values (person, 'link_identity', 'user', account,
                  jsonb_build_object('issuer', new_issuer, 'subject', new_subject));
          return linked;
        end
        """,
    ),
    "unlink_identity(asked bigint)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          ended user_identity%rowtype;
          person bigint := current_user_id();
        begin
          update user_identity i set ended_at = now()
          where i.id = asked and i.ended_at is null
            and (i.user_id = person or is_global_admin() or is_operator())
          returning * into ended;
          if not found then
            return false;
          end if;
          insert into audit_event (actor_id, action, entity, entity_id, before)
          values (person, 'unlink_identity', 'user', ended.user_id,
                  jsonb_build_object('issuer', ended.issuer, 'subject', ended.subject));
          return true;
        end
        """,
    ),
    "linked_identities(account bigint)": (
        f"returns table (id bigint, issuer text, subject text, linked_at {MOMENT}) {SQL}",
        """
        select i.id, i.issuer::text, i.subject::text, i.created_at from user_identity i
        where i.user_id = account and i.ended_at is null
          and (account = current_user_id() or is_global_admin() or is_operator())
        order by i.id
        """,
    ),
}
INTERNAL = {"count_wrong_password", "note_failed_login", "is_proven"}
"""Called by the other functions alone."""
OF_WORKER = {"end_expired_sessions"}
REPLACED = {"scoped_users", "check_own_password", "change_own_password", "revoke_sessions"}
"""There before with the same arguments."""

FORMER = {
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
    "check_own_password(offered_hash text)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          account app_user%rowtype;
        begin
          select * into account from app_user u where u.id = current_user_id() for update;
          if not found or account.password_hash is null or account.locked_until > clock_timestamp() then
            return false;
          end if;
          if account.password_hash = offered_hash then
            update app_user set failed_logins = 0, locked_until = null where id = account.id;
            return true;
          end if;
          update app_user set failed_logins = account.failed_logins + 1,
            locked_until = case when account.failed_logins + 1 >= 5
              then clock_timestamp() + least(interval '15 minutes',
                                             interval '15 seconds' * 2 ^ least(account.failed_logins - 4, 10)) end
          where id = account.id;
          insert into audit_event (actor_id, action, entity, entity_id)
          values (account.id, 'sign_failed', 'user', account.id);
          return false;
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
}

OPEN_TO = {
    "audit_check": ("owner", "worker", "sealer"),
    "identity_provider": ("owner",),
    "user_identity": ("owner",),
}
GRANTS = (
    "select on audit_check to octaudit_dashboard",
    "select, insert on audit_check to octaudit_sealer",
)


def signature(declaration: str) -> str:
    """``f(bigint, text)`` of ``f(a bigint, b text)``: how GRANT and DROP name a function."""
    name, _, arguments = declaration.rstrip(")").partition("(")
    return f"{name}({', '.join(argument.split()[-1] for argument in arguments.split(', ') if argument)})"


def make(declaration: str, returns: str, body: str) -> None:
    """A function with its owner's rights that one role, or none, may call."""
    name = declaration.partition("(")[0]
    op.execute(f"create or replace function {declaration} {returns} as $function${body}$function$")
    op.execute(f"revoke all on function {signature(declaration)} from public")
    if name not in INTERNAL:
        role = "octaudit_worker" if name in OF_WORKER else "octaudit_dashboard"
        op.execute(f"grant execute on function {signature(declaration)} to {role}")


def columns_of(*named: sa.Column[object]) -> tuple[sa.Column[object], ...]:
    """Id first, then these, then when the row was written."""
    created = sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False), *named, created


def make_tables() -> None:
    """What the checks of the chain found, which provider is trusted, and who is who there."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "audit_check",
        *columns_of(
            sa.Column("n_sealed", sa.BigInteger(), nullable=False),
            sa.Column("n_anchored", sa.BigInteger(), nullable=False),
            sa.Column("anchored_at", moment, nullable=True),
            sa.Column("faults", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_check")),
    )
    op.create_table(
        "identity_provider",
        *columns_of(
            sa.Column("issuer", sa.String(), nullable=False),
            sa.Column("proof_sha256", sa.String(length=64), nullable=False),
            sa.Column("ended_at", moment, nullable=True),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_provider")),
    )
    op.create_index(
        "uq_identity_provider_live", "identity_provider", ["issuer"], unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )  # fmt: skip
    op.create_table(
        "user_identity",
        *columns_of(
            sa.Column("user_id", sa.BigInteger(), nullable=False),
            sa.Column("issuer", sa.String(), nullable=False),
            sa.Column("subject", sa.String(), nullable=False),
            sa.Column("ended_at", moment, nullable=True),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_user_identity_user_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_identity")),
    )
    for name, columns in {"subject": ["issuer", "subject"], "user": ["user_id", "issuer"]}.items():
        op.create_index(
            f"uq_user_identity_{name}", "user_identity", columns, unique=True,
            postgresql_where=sa.text("ended_at is null"),
        )  # fmt: skip


def upgrade() -> None:
    """Apply."""
    make_tables()
    for table, roles in OPEN_TO.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        for role in roles:
            op.execute(f"create policy {role}_all on {table} to octaudit_{role} using (true) with check (true)")
    op.execute(
        "create policy dashboard_select on audit_check for select to octaudit_dashboard using "
        "((select is_global_admin()) or cardinality((select whole_studies_as('{manager,admin}'))) > 0)"
    )
    op.execute(
        "create trigger stays_as_written before update or delete or truncate on audit_check "
        "for each statement execute function stays_as_written()"
    )
    for grant in GRANTS:
        op.execute(f"grant {grant}")
    op.add_column("audit_event", sa.Column("meaning", sa.String(), server_default="", nullable=False))
    op.drop_index("ix_audit_event_site_id", "audit_event")
    for name, columns in TRAIL_INDEXES.items():
        op.create_index(name, "audit_event", list(columns))
    op.create_index(
        "ix_audit_event_signed", "audit_event", ["happened_at", "id"], postgresql_where=sa.text("meaning <> ''")
    )
    op.add_column("session", sa.Column("client", sa.String(), server_default="", nullable=False))
    op.create_index(
        "ix_session_expires_at", "session", ["expires_at"], postgresql_where=sa.text("revoked_at is null")
    )
    op.execute("drop function open_session(text, text, text, interval, interval, text)")
    for declaration, (returns, body) in FUNCTIONS.items():
        make(declaration, returns, body)


def downgrade() -> None:
    """Undo."""
    for declaration in reversed(FUNCTIONS):
        if declaration.partition("(")[0] not in REPLACED:
            op.execute(f"drop function {signature(declaration)}")
    for declaration, (returns, body) in FORMER.items():
        make(declaration, returns, body)
    op.drop_index("ix_session_expires_at", "session")
    op.drop_column("session", "client")
    for name in (*TRAIL_INDEXES, "ix_audit_event_signed"):
        op.drop_index(name, "audit_event")
    op.create_index("ix_audit_event_site_id", "audit_event", ["site_id"])
    op.drop_column("audit_event", "meaning")
    for table in reversed(OPEN_TO):
        op.drop_table(table)
