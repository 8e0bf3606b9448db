"""Programs that call the API: clients with tokens, and what holds them to the rights of the person who answers for them.

A client is an account without a password (``app_user``), so that it stands in the audit trail under its own name, and
a token is a row of ``session``, so that everything row-level security knows about sessions holds for tokens: expiry,
revocation, a disabled account. Nothing is bypassed and no policy is changed. What is new is one condition in
``own_grants``: a client's grant counts only while its owner is not disabled and may still give roles in that study.

Whoever uploaded a scan does not review it: that holds between a person and the clients they answer for, too. A client
has no password, and no list of people names it. Both tables are closed to every role; pages ask the functions.
Revision 0023, after 0022.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

SQL = "language sql stable security definer set search_path = public, pg_temp"
PLPGSQL = "language plpgsql volatile security definer set search_path = public, pg_temp"

FORMER_GRANTS = """
        select g.* from site_grant g
        where g.user_id = current_user_id() and g.revoked_at is null
          and (g.expires_at is null or g.expires_at > statement_timestamp())
"""
OWN_GRANTS = f"""{FORMER_GRANTS}
          and not exists (
            select from api_client c where c.user_id = g.user_id and (c.ended_at is not null or not exists (
              select from app_user o join site_grant og on og.user_id = o.id
              where o.id = c.owner_id and o.disabled_at is null and og.role = 'admin' and og.site_id is null
                and og.revoked_at is null and (og.expires_at is null or og.expires_at > statement_timestamp())
                and (og.study_id is null or og.study_id = g.study_id))))
"""
NO_CLIENT = " and not exists (select from api_client c where c.user_id = {column})"
ACCOUNTS = """
        select u.id, u.name, u.display_name, u.created_at, u.disabled_at, u.locked_until, u.must_change_password,
               (select max(s.last_seen_at) from session s where s.user_id = u.id)
        from app_user u
        where (is_operator() or is_global_admin()
           or (u.id = any (scoped_users()) and cardinality(whole_studies_as('{{admin}}')) > 0)){no_client}
        order by u.name
"""
GRANTS = """
        select g.id, g.user_id, g.role, g.study_id, g.site_id, g.created_at, g.expires_at, g.revoked_at
        from site_grant g where may_grant(g.study_id){no_client} order by g.id
"""
PEOPLE = """
        select u.id, u.display_name from app_user u
        where at_site = any (scoped_sites_as('{{manager,admin}}')) and u.disabled_at is null and exists (
          select from site_grant g join site s on s.id = at_site
          where g.user_id = u.id and g.revoked_at is null and g.role <> 'grader'
            and (g.expires_at is null or g.expires_at > statement_timestamp())
            and (g.study_id is null or g.study_id = s.study_id) and (g.site_id is null or g.site_id = s.id)){no_client}
        order by u.display_name, u.id
"""
REPLACED = {
    "own_grants()": (f"returns setof site_grant {SQL}", OWN_GRANTS, FORMER_GRANTS),
    "list_accounts()": (
        "returns table (id bigint, name text, display_name text, created_at timestamptz, disabled_at timestamptz, "
        f"locked_until timestamptz, must_change_password boolean, last_seen_at timestamptz) {SQL}",
        ACCOUNTS.format(no_client=NO_CLIENT.format(column="u.id")),
        ACCOUNTS.format(no_client=""),
    ),
    "list_grants()": (
        "returns table (id bigint, user_id bigint, role text, study_id bigint, site_id bigint, created_at timestamptz, "
        f"expires_at timestamptz, revoked_at timestamptz) {SQL}",
        GRANTS.format(no_client=NO_CLIENT.format(column="g.user_id")),
        GRANTS.format(no_client=""),
    ),
    "people_of_site(at_site bigint)": (
        f"returns table (id bigint, display_name text) {SQL}",
        PEOPLE.format(no_client=NO_CLIENT.format(column="u.id")),
        PEOPLE.format(no_client=""),
    ),
}
"""Functions of older revisions: declaration -> (returns, body from here on, body before)."""

FUNCTIONS = {
    # Who answers for an account: the client's owner, or the person themselves.
    "answerable_for(account bigint)": (
        f"returns bigint {SQL}",
        "select coalesce((select c.owner_id from api_client c where c.user_id = account), account)",
    ),
    "current_api_client()": (
        f"returns table (id bigint, name text, scopes jsonb, prefix text) {SQL}",
        """
        select c.id, c.name, c.scopes, t.prefix
        from api_token t join api_client c on c.id = t.client_id
        where t.session_id = session_id() and c.ended_at is null
        """,
    ),
    "add_api_client(named text, given_scopes jsonb, roles text[], study bigint, site bigint)": (
        f"returns bigint {PLPGSQL}",
        """
        declare
          added bigint := nextval(pg_get_serial_sequence('public.api_client', 'id'));
          account bigint;
        begin
          perform refuse_unless(current_user_id() is not null and may_grant(study)
                                and not exists (select from current_api_client()),
                                'only an administrator of the study makes clients for it');
          if not roles <@ '{site_technician,qc_technician,manager,admin}' or cardinality(roles) = 0 then
            raise exception using errcode = 'check_violation', message = 'a client has one of the roles for programs';
          end if;
          if site is not null and not exists (select from site s where s.id = site and s.study_id = study) then
            raise exception using errcode = 'check_violation', message = 'the site does not belong to the study';
          end if;
          insert into app_user (name, display_name) values ('client:' || added, named || ' (API)')
          returning id into account;
          insert into api_client (id, name, user_id, owner_id, scopes, study_id, site_id)
          overriding system value
          values (added, named, account, current_user_id(), given_scopes, study, site);
          insert into site_grant (user_id, role, study_id, site_id)
          select account, given.role, study, site from unnest(roles) given (role);
          return added;
        end
        """,
    ),
    "add_api_token(client bigint, token_hash text, token_prefix text, lifetime interval)": (
        f"returns bigint {PLPGSQL}",
        """
        declare
          account bigint;
          opened bigint;
          added bigint;
        begin
          select c.user_id into account from api_client c
          where c.id = client and c.ended_at is null and may_grant(c.study_id)
            and not exists (select from current_api_client());
          if account is null then
            return null;
          end if;
          if lifetime <= interval '0' or lifetime > interval '366 days' then
            raise exception using errcode = 'check_violation', message = 'a token lasts for up to 366 days';
          end if;
          insert into session (token_sha256, user_id, last_seen_at, idle_timeout, ends_at, expires_at)
          values (token_hash, account, now(), lifetime, now() + lifetime, now() + lifetime)
          returning id into opened;
          insert into api_token (client_id, session_id, prefix) values (client, opened, token_prefix)
          returning id into added;
          return added;
        end
        """,
    ),
    "end_api_token(token bigint)": (
        f"returns boolean {PLPGSQL}",
        """
        begin
          update session s set revoked_at = now() from api_token t join api_client c on c.id = t.client_id
          where t.id = token and s.id = t.session_id and s.revoked_at is null and may_grant(c.study_id)
            and not exists (select from current_api_client());
          return found;
        end
        """,
    ),
    "end_api_client(client bigint)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          account bigint;
        begin
          update api_client c set ended_at = now()
          where c.id = client and c.ended_at is null and may_grant(c.study_id)
            and not exists (select from current_api_client())
          returning c.user_id into account;
          if account is null then
            return false;
          end if;
          update app_user set disabled_at = now() where id = account;
          update session set revoked_at = now() where user_id = account and revoked_at is null;
          update site_grant set revoked_at = now() where user_id = account and revoked_at is null;
          return true;
        end
        """,
    ),
    "list_api_clients()": (
        "returns table (id bigint, name text, owner_name text, scopes jsonb, roles jsonb, study_id bigint, "
        "site_id bigint, created_at timestamptz, ended_at timestamptz, is_owner_able boolean) "
        f"{SQL}",
        """
        select c.id, c.name, o.display_name, c.scopes,
               coalesce((select jsonb_agg(g.role order by g.role) from site_grant g where g.user_id = c.user_id), '[]'),
               c.study_id, c.site_id, c.created_at, c.ended_at,
               o.disabled_at is null and exists (
                 select from site_grant og where og.user_id = o.id and og.role = 'admin' and og.site_id is null
                   and og.revoked_at is null and (og.expires_at is null or og.expires_at > statement_timestamp())
                   and (og.study_id is null or og.study_id = c.study_id))
        from api_client c join app_user o on o.id = c.owner_id
        where may_grant(c.study_id) order by c.ended_at is not null, c.name, c.id
        """,
    ),
    "list_api_tokens()": (
        "returns table (id bigint, client_id bigint, prefix text, created_at timestamptz, expires_at timestamptz, "
        f"revoked_at timestamptz, last_used_at timestamptz) {SQL}",
        """
        select t.id, t.client_id, t.prefix, t.created_at, s.ends_at, s.revoked_at,
               case when s.last_seen_at > s.created_at then s.last_seen_at end
        from api_token t join session s on s.id = t.session_id join api_client c on c.id = t.client_id
        where may_grant(c.study_id) order by t.id
        """,
    ),
    # Tells the holder of a token why it does not hold any more. Written once an hour for each token: a script that
    # goes on calling must not fill the trail.
    "refuse_api_token(token_hash text)": (
        f"returns text {PLPGSQL}",
        """
        declare
          refused record;
          why text;
        begin
          select t.id, t.refused_at, c.id as client_id, c.user_id, c.study_id, c.site_id, s.revoked_at, s.expires_at
          into refused
          from session s join api_token t on t.session_id = s.id join api_client c on c.id = t.client_id
          where s.token_sha256 = token_hash for update of t;
          if not found then
            return 'unknown';
          end if;
          -- An expired session may be closed by the program later: that is no revocation.
          why := case when refused.revoked_at < refused.expires_at then 'revoked'
                      when refused.expires_at <= statement_timestamp() then 'expired' else 'without rights' end;
          if refused.refused_at is null or refused.refused_at < now() - interval '1 hour' then
            update api_token set refused_at = now() where id = refused.id;
            insert into audit_event (actor_id, study_id, site_id, action, entity, entity_id, reason)
            values (refused.user_id, refused.study_id, refused.site_id, 'api_token.refused', 'api_token', refused.id,
                    why);
          end if;
          return why;
        end
        """,
    ),
}
INTERNAL = {"answerable_for(account bigint)"}

REVIEWS_OWN = """
  if current_user_id() is not null and exists (
    select from scan s join batch b on b.id = s.batch_id join acquisition a on a.id = s.acquisition_id
    left join technician t on t.id = a.technician_id
    where s.id = {scan} and answerable_for(current_user_id()) in
      (answerable_for(b.uploaded_by_id), answerable_for(t.user_id))) then
    raise exception using errcode = 'insufficient_privilege',
      message = 'whoever answers for the program that uploaded a scan cannot review it, and no program of theirs can';
  end if;
"""
TRIGGERS = {
    "is_not_of_own_work_by_program": (
        REVIEWS_OWN.format(scan="new.scan_id"),
        "review",
        "before insert on review for each row when (new.decision <> 'answer')",
    ),
    "is_not_on_own_work_by_program": (
        REVIEWS_OWN.format(scan="new.id"),
        "scan",
        "before update of state, human_ordinal, final_verdict on scan for each row "
        "when (new.human_ordinal is distinct from old.human_ordinal or (new.state is distinct from old.state "
        "and new.state in ('accepted', 'queried', 'reacquisition_requested')))",
    ),
    "client_has_no_password": (
        """
  if exists (select from api_client c where c.user_id = new.id) then
    raise exception using errcode = 'insufficient_privilege', message = 'a client of the API has no password';
  end if;
""",
        "app_user",
        "before update of password_hash on app_user for each row when (new.password_hash is not null)",
    ),
}
"""Trigger and function of one name: (body, table, when). PostgreSQL fires triggers by name: people are refused first, in
the words of revision 0004."""


def signature(declaration: str) -> str:
    """``f(bigint, text)`` of ``f(a bigint, b text)``."""
    name, _, arguments = declaration.rstrip(")").partition("(")
    return f"{name}({', '.join(argument.split()[-1] for argument in arguments.split(', ') if argument)})"


def upgrade() -> None:
    """Apply."""
    make_tables()
    for table in ("api_client", "api_token"):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy owner_all on {table} to octaudit_owner using (true) with check (true)")
    for declaration, (returns, body) in FUNCTIONS.items():
        op.execute(f"create function {declaration} {returns} as $function${body}$function$")
        op.execute(f"revoke all on function {signature(declaration)} from public")
        if declaration not in INTERNAL:
            op.execute(f"grant execute on function {signature(declaration)} to octaudit_dashboard")
    for declaration, (returns, body, _) in REPLACED.items():
        op.execute(f"create or replace function {declaration} {returns} as $function${body}$function$")
    for name, (body, table, when) in TRIGGERS.items():
        op.execute(
            f"create function {name}() returns trigger {PLPGSQL} as $function$\nbegin\n{body}  return new;\nend\n"
            "$function$"
        )
        op.execute(f"create trigger {name} {when} execute function {name}()")


def make_tables() -> None:
    """Clients and their tokens."""
    op.create_table(
        "api_client",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_api_client_name")),
        sa.CheckConstraint(
            "jsonb_typeof(scopes) = 'array' and jsonb_array_length(scopes) > 0", name=op.f("ck_api_client_scopes")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_api_client_user_id_app_user")),
        sa.ForeignKeyConstraint(["owner_id"], ["app_user.id"], name=op.f("fk_api_client_owner_id_app_user")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_api_client_study_id_study")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_api_client_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_client")),
        sa.UniqueConstraint("user_id", name=op.f("uq_api_client_user_id")),
    )
    op.create_index(
        "uq_api_client_live",
        "api_client",
        ["name", "study_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["api_client.id"], name=op.f("fk_api_token_client_id_api_client")),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name=op.f("fk_api_token_session_id_session")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("session_id", name=op.f("uq_api_token_session_id")),
    )
    op.create_index(op.f("ix_api_token_client_id"), "api_token", ["client_id"], unique=False)


def downgrade() -> None:
    """Undo. The clients' accounts stay, shut: the audit trail names them."""
    op.execute("update app_user set disabled_at = coalesce(disabled_at, now()) "
               "where id in (select user_id from api_client)")
    for name, (_, table, _) in TRIGGERS.items():
        op.execute(f"drop trigger {name} on {table}")
        op.execute(f"drop function {name}()")
    for declaration, (returns, _, body) in REPLACED.items():
        op.execute(f"create or replace function {declaration} {returns} as $function${body}$function$")
    for declaration in reversed(FUNCTIONS):
        op.execute(f"drop function {signature(declaration)}")
    op.drop_table("api_token")
    op.drop_table("api_client")
