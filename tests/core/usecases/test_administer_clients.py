"""Programs as callers: what a token reaches, what ends it at once, and what the audit trail says of it."""

from datetime import timedelta

import pytest
from access_world import World, make_world, seen_sites
from api_clients import make_client
from sqlalchemy import select, text

from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.errors import NotAllowedError, NotFoundError, UsageError
from core.store.access import Actor, current_actor, list_accounts, list_grants
from core.store.action import list_people
from core.store.api_client import list_clients, list_tokens
from core.usecases.administer_clients import (
    CallerFound,
    FreshToken,
    add_client,
    end_client,
    find_caller,
    issue_token,
    revoke_token,
)
from core.vocabulary import ApiScope, Role


@pytest.fixture
def world(owner_database: Database) -> World:
    return make_world(owner_database)


@pytest.fixture
def fresh(dashboard_database: Database, world: World) -> FreshToken:
    """A token that reads one site as its quality control does."""
    return make_client(dashboard_database, world.tokens["admin"], study_id=world.study_id, site_id=world.a)


def actor_of(database: Database, token: str) -> Actor:
    with session_scope(database, token=token) as session:
        actor = current_actor(session)
    assert actor is not None
    return actor


def events(owner_database: Database) -> list[tuple[str, str]]:
    with session_scope(owner_database) as session:
        return [
            (event.action, event.reason)
            for event in session.scalars(select(tables.AuditEvent).order_by(tables.AuditEvent.id))
        ]


def test_a_token_sees_its_site_and_no_other(dashboard_database: Database, world: World, fresh: FreshToken) -> None:
    found = find_caller(dashboard_database, fresh.token)
    assert isinstance(found, CallerFound)
    assert found.client.prefix == fresh.prefix
    assert fresh.token.startswith(f"{fresh.prefix}.")
    assert found.actor.display_name == "Image archive (API)"
    assert found.actor.has_role(Role.QC_TECHNICIAN, study_id=world.study_id, site_id=world.a)
    with session_scope(dashboard_database, token=fresh.token) as session:
        assert seen_sites(session) == {world.a}


def test_the_token_is_stored_nowhere(owner_database: Database, fresh: FreshToken) -> None:
    secret = fresh.token.rpartition(".")[2]
    with session_scope(owner_database) as session:
        for table in ("api_client", "api_token", "session", "audit_event", "app_user"):
            rows = session.execute(text(f"select t::text from {table} t")).scalars().all()  # noqa: S608 - given above
            assert rows, table
            assert not any(secret in row for row in rows), table
    assert secret not in repr(fresh)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("update session set revoked_at = now() where user_id = {client}", "revoked"),
        ("update session set expires_at = now() - interval '1 s' where user_id = {client}", "expired"),
        ("update app_user set disabled_at = now() where id = {owner}", "without rights"),
        ("update site_grant set revoked_at = now() where user_id = {owner}", "without rights"),
        ("update site_grant set expires_at = now() - interval '1 s' where user_id = {owner}", "without rights"),
        ("update site_grant set revoked_at = now() where user_id = {client}", "without rights"),
        ("update app_user set disabled_at = now() where id = {client}", "without rights"),
    ],
)
def test_a_token_ends_at_once(  # noqa: PLR0917 - fixtures
    owner_database: Database, dashboard_database: Database, world: World, fresh: FreshToken, change: str, why: str
) -> None:
    with session_scope(dashboard_database, token=fresh.token) as session:
        assert seen_sites(session) == {world.a}
        session.commit()
        with session_scope(owner_database) as owner:
            client = owner.scalar(select(tables.ApiClient.user_id))
            owner.execute(text(change.format(client=client, owner=world.users["admin"])))
        assert seen_sites(session) == set(), "the next transaction of the same request, too"
    assert find_caller(dashboard_database, fresh.token) == why
    assert find_caller(dashboard_database, fresh.token) == why
    refused = [(action, reason) for action, reason in events(owner_database) if action == "api_token.refused"]
    assert refused == [("api_token.refused", why)], "once, although refused twice within the hour"


@pytest.mark.parametrize("token", ["", "octa.", "octa.\x00", "octa.0.ö", "x" * 10_000, "octa.' or true --"])
def test_what_is_no_token_is_unknown(dashboard_database: Database, token: str) -> None:
    assert find_caller(dashboard_database, token) == "unknown"


def test_a_persons_session_is_no_token(dashboard_database: Database, world: World) -> None:
    assert find_caller(dashboard_database, world.tokens["admin"]) == "unknown"


def test_a_revoked_token_leaves_the_clients_other_tokens_alone(
    owner_database: Database, dashboard_database: Database, world: World, fresh: FreshToken
) -> None:
    admin = actor_of(dashboard_database, world.tokens["admin"])
    with session_scope(dashboard_database, token=world.tokens["admin"]) as session:
        second = issue_token(session, actor=admin, client_id=fresh.client_id, lifetime=timedelta(days=1), now=now())
        revoke_token(session, actor=admin, token_id=fresh.token_id, reason="replaced")
        with pytest.raises(NotFoundError, match="no live token"):
            revoke_token(session, actor=admin, token_id=fresh.token_id)
    assert find_caller(dashboard_database, fresh.token) == "revoked"
    assert isinstance(find_caller(dashboard_database, second.token), CallerFound)
    assert ("api_token.revoked", "replaced") in events(owner_database)


def test_an_ended_client_has_no_token_no_role_and_no_more_tokens(
    owner_database: Database, dashboard_database: Database, world: World, fresh: FreshToken
) -> None:
    admin = actor_of(dashboard_database, world.tokens["admin"])
    with session_scope(dashboard_database, token=world.tokens["admin"]) as session:
        end_client(session, actor=admin, client_id=fresh.client_id, reason="archive replaced")
        assert [client.ended_at is None for client in list_clients(session)] == [False]
        with pytest.raises(NotFoundError):
            issue_token(session, actor=admin, client_id=fresh.client_id, lifetime=timedelta(days=1), now=now())
        with pytest.raises(NotFoundError):
            end_client(session, actor=admin, client_id=fresh.client_id)
    assert find_caller(dashboard_database, fresh.token) == "revoked"
    assert [action for action, _ in events(owner_database)][:3] == [
        "api_client.added", "api_token.issued", "api_client.ended",
    ]  # fmt: skip


def test_the_list_says_what_stands_and_when_it_was_used(
    dashboard_database: Database, world: World, fresh: FreshToken
) -> None:
    with session_scope(dashboard_database, token=world.tokens["admin"]) as session:
        (client,), (token,) = list_clients(session), list_tokens(session)
    assert (client.name, client.site_id, client.is_owner_able) == ("Image archive", world.a, True)
    assert client.roles == (Role.QC_TECHNICIAN,)
    assert client.scopes == tuple(ApiScope)
    assert token.prefix == fresh.prefix
    assert token.is_live(now())
    assert token.last_used_at is None
    assert abs(token.expires_at - fresh.expires_at) < timedelta(seconds=10)


@pytest.mark.parametrize("name", ["technician", "qc", "grader", "adjudicator", "manager"])
def test_only_an_administrator_makes_clients(dashboard_database: Database, world: World, name: str) -> None:
    with pytest.raises(NotAllowedError, match="only an administrator"):
        make_client(dashboard_database, world.tokens[name], study_id=world.study_id)


def test_no_administrator_reaches_beyond_the_own_study(dashboard_database: Database, world: World) -> None:
    admin = world.tokens["admin"]
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        other = session.scalars(select(tables.Site.study_id).where(tables.Site.id == world.elsewhere)).one()
    for study_id, roles in ((other, [Role.MANAGER]), (None, [Role.ADMIN])):
        with pytest.raises(NotAllowedError, match="only an administrator"):
            make_client(dashboard_database, admin, study_id=study_id, roles=roles)
    make_client(dashboard_database, world.tokens["global"], study_id=other, roles=[Role.MANAGER])
    with session_scope(dashboard_database, token=admin) as session:
        assert (list_clients(session), list_tokens(session)) == ((), ())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "  "}, "needs a name"),
        ({"name": "x" * 81}, "needs a name"),
        ({"scopes": []}, "may do nothing"),
        ({"roles": []}, "has no role"),
        ({"roles": [Role.GRADER]}, "grader is no role for a program"),
        ({"roles": [Role.MANAGER, Role.ADJUDICATOR]}, "adjudicator is no role"),
        ({"study_id": None}, "for the role admin alone"),
        ({"lifetime": timedelta(days=367)}, "cannot last 367 days"),
        ({"lifetime": timedelta(0)}, "cannot last"),
    ],
)
def test_an_unfit_client_is_refused_with_the_reason(
    dashboard_database: Database, world: World, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_client(dashboard_database, world.tokens["admin"], **{"study_id": world.study_id} | changes)  # type: ignore[arg-type]


def test_a_site_of_another_study_and_a_name_that_is_taken_are_refused(
    dashboard_database: Database, world: World, fresh: FreshToken
) -> None:
    assert fresh
    for changes in ({"site_id": world.elsewhere, "name": "Other"}, {"site_id": world.a}):
        with pytest.raises(UsageError, match="cannot be made"):
            make_client(dashboard_database, world.tokens["admin"], study_id=world.study_id, **changes)  # type: ignore[arg-type]


def test_a_client_makes_no_clients_whatever_its_roles(dashboard_database: Database, world: World) -> None:
    fresh = make_client(dashboard_database, world.tokens["global"], study_id=None, roles=[Role.ADMIN])
    found = find_caller(dashboard_database, fresh.token)
    assert isinstance(found, CallerFound)
    with pytest.raises(NotAllowedError), session_scope(dashboard_database, token=fresh.token) as session:
        add_client(
            session, actor=found.actor, name="Child", scopes=[ApiScope.READ_RATES], roles=[Role.MANAGER],
            study_id=world.study_id,
        )  # fmt: skip
    for_a_day = {"lifetime": timedelta(days=1), "now": now()}
    with pytest.raises(NotFoundError), session_scope(dashboard_database, token=fresh.token) as session:
        issue_token(session, actor=found.actor, client_id=fresh.client_id, **for_a_day)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError), session_scope(dashboard_database, token=fresh.token) as session:
        end_client(session, actor=found.actor, client_id=fresh.client_id)


def test_a_client_stands_in_no_list_of_people_and_gets_no_password(
    owner_database: Database, dashboard_database: Database, world: World, fresh: FreshToken
) -> None:
    with session_scope(owner_database) as session:
        account = session.scalars(select(tables.ApiClient.user_id)).one()
        assert fresh.client_id
    with session_scope(dashboard_database, token=world.tokens["global"]) as session:
        assert account not in {each.user_id for each in list_accounts(session)}
        assert account not in {each.user_id for each in list_grants(session)}
        assert account not in {each.id for each in list_people(session, world.a)}
    with pytest.raises(NotAllowedError, match="has no password"):  # noqa: SIM117 - two scopes
        with session_scope(dashboard_database, token=world.tokens["global"]) as session:
            session.execute(text("select set_account_password(:id, 'hash')"), {"id": account})


@pytest.mark.parametrize("table", ["api_client", "api_token"])
def test_no_page_reads_the_tables_of_clients(
    dashboard_database: Database, world: World, fresh: FreshToken, table: str
) -> None:
    assert fresh
    with pytest.raises(NotAllowedError), session_scope(dashboard_database, token=world.tokens["global"]) as session:
        session.execute(text(f"select 1 from {table}"))  # noqa: S608 - given above


class TestOwnWork:
    """Whoever uploaded a scan does not review it: a program is no way round that, in either direction."""

    @pytest.fixture
    def admin_reviews(self, owner_database: Database, world: World) -> None:
        """The administrator who answers for the client may review as well."""
        with session_scope(owner_database) as session:
            session.add(tables.SiteGrant(user_id=world.users["admin"], role="qc_technician", study_id=world.study_id))

    def upload_by(self, owner_database: Database, world: World, user_id: int) -> None:
        with session_scope(owner_database) as session:
            batch_id = session.scalars(select(tables.Scan.batch_id).where(tables.Scan.id == world.scan_a)).one()
            session.execute(
                text("update batch set uploaded_by_id = :user where id = :batch"), {"user": user_id, "batch": batch_id}
            )

    def review(self, database: Database, token: str, world: World) -> None:
        actor = actor_of(database, token)
        with session_scope(database, token=token) as session:
            session.execute(
                tables.Review.__table__.insert()  # type: ignore[attr-defined]
                .values(site_id=world.a, scan_id=world.scan_a, reviewer_id=actor.user_id, decision="accept")
                .inline()
            )

    @pytest.mark.usefixtures("admin_reviews")
    def test_what_a_client_sent_its_owner_does_not_review(
        self, owner_database: Database, dashboard_database: Database, world: World, fresh: FreshToken
    ) -> None:
        client = actor_of(dashboard_database, fresh.token)
        assert client.user_id is not None
        self.upload_by(owner_database, world, client.user_id)
        with pytest.raises(NotAllowedError, match="answers for the program"):
            self.review(dashboard_database, world.tokens["admin"], world)
        self.review(dashboard_database, world.tokens["qc"], world)

    def test_what_a_person_sent_their_client_does_not_review(
        self, owner_database: Database, dashboard_database: Database, world: World, fresh: FreshToken
    ) -> None:
        self.upload_by(owner_database, world, world.users["admin"])
        with pytest.raises(NotAllowedError, match="answers for the program"):
            self.review(dashboard_database, fresh.token, world)
