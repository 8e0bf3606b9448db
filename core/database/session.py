"""Databases and the one place that commits: ``session_scope``. For the dashboard a session token scopes every row.

The token is put into the transaction, not the connection, so a pooled connection's next user starts without one.
"""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session, SessionTransaction

from core.database.addresses import database_url
from core.database.roles import DatabaseRole
from core.errors import NotAllowedError, ServerError
from core.settings import Settings

_log = logging.getLogger(__name__)
_ACTIONS = "octaudit.after_commit"
_TOKEN = "octaudit.token"  # noqa: S105 - the name of a slot, not a secret


@dataclass(frozen=True, slots=True)
class Database:
    """A pool of connections with one role's rights. Close it, or use it as a context manager."""

    engine: Engine
    role: DatabaseRole

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_database(settings: Settings, role: DatabaseRole) -> Database:
    """Open the database with a role's rights, by its URL setting or the embedded server's file.

    The dashboard's role is checked at once: NotAllowedError where row-level security would not hold it.
    """
    engine = create_engine(
        database_url(settings, role),
        pool_pre_ping=True,  # the embedded server may have been restarted since
        connect_args={"connect_timeout": 10, "application_name": role.value},
    )
    database = Database(engine, role)
    if role is DatabaseRole.DASHBOARD:
        try:
            refuse_unheld_role(database)
        except BaseException:
            database.close()
            raise
    return database


@contextmanager
def session_scope(database: Database, *, token: str | None = None) -> Iterator[Session]:
    """One transaction: commits at the end, rolls back on any error, then runs the after-commit actions.

    For the dashboard's role, ``token`` decides which rows exist; without one there are none. What the database
    refuses (policy, grant, own work) leaves the scope as NotAllowedError. Every NotAllowedError of a person is
    written into the audit trail on its way out, in a transaction of its own.
    """
    if token is not None and database.role is not DatabaseRole.DASHBOARD:
        raise NotAllowedError(f"A session token scopes nothing for {database.role}.", remedy="Use the dashboard role.")
    with ScopedSession(database.engine, expire_on_commit=False, autoflush=True) as session:
        session.info[_TOKEN] = (token or "") if database.role is DatabaseRole.DASHBOARD else None
        try:
            yield session
            session.commit()
        except BaseException as error:
            session.rollback()
            if isinstance(error, ProgrammingError) and _is_refusal(error):
                refusal = _refusal(error)
                _note_refusal(session, refusal, error)
                raise refusal from error
            if isinstance(error, NotAllowedError):
                _note_refusal(session, error, error)
            raise
        actions: list[Callable[[], None]] = session.info.pop(_ACTIONS, [])
    for action in actions:
        _run(action)


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run ``action`` once this session's transaction has been committed; never where it was rolled back.

    A failing action is logged and swallowed: what it announces is in the database and found without it.
    """
    session.info.setdefault(_ACTIONS, []).append(action)


class ScopedSession(Session):
    """SQLAlchemy's session, with a class of its own so that the listener below hears no other."""


@event.listens_for(ScopedSession, "after_begin")
def _put_token(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    """Bind the token to the new transaction; an empty one clears what a setting might still hold."""
    token = session.info.get(_TOKEN)
    if token is not None:
        connection.execute(text("select set_config('octaudit.session', :token, true)"), {"token": token})


def role_faults(database: Database) -> list[str]:
    """Why row-level security would not hold this connection's role; empty where it does."""
    query = text(
        """
        select r.rolsuper, r.rolbypassrls,
               exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                       where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm')
                         and pg_has_role(r.oid, c.relowner, 'member')),
               current_user
        from pg_roles r where r.rolname = current_user
        """
    )
    try:
        with database.engine.connect() as connection:
            is_superuser, is_bypassing, is_owner, user = connection.execute(query).one()
    except OperationalError as error:
        raise ServerError(
            f"PostgreSQL does not answer: {str(error.orig).strip()}",
            remedy="Start it (`octaudit up` starts the embedded one) or correct the URL.",
        ) from error
    found = {"is a superuser": is_superuser, "has BYPASSRLS": is_bypassing, "owns tables or may act as owner": is_owner}
    return [f"{user} {fault}" for fault, is_so in found.items() if is_so]


def refuse_unheld_role(database: Database) -> None:
    """Raise NotAllowedError where row-level security does not hold this role."""
    faults = role_faults(database)
    if faults:
        raise NotAllowedError(
            f"The dashboard's database role is not held by row-level security: {'; '.join(faults)}.",
            remedy="Run `octaudit database init` and use the role it makes in OCTAUDIT_DATABASE_DASHBOARD_URL.",
        )


def _is_refusal(error: ProgrammingError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "42501"  # insufficient_privilege, also a policy's WITH CHECK


def _refusal(error: ProgrammingError) -> NotAllowedError:
    return NotAllowedError(
        f"The database refuses this: {str(error.orig).splitlines()[0]}.",
        remedy="Your role, your sites or your own part in it do not allow it; nothing was written.",
    )


def _note_refusal(session: Session, refusal: NotAllowedError, error: BaseException) -> None:
    """Write down what was tried and why it was refused; the database keeps a loop from filling the trail."""
    if not session.info.get(_TOKEN):
        return
    try:
        session.execute(text("select note_refusal(:tried, :told)"), {"tried": _tried(error), "told": refusal.message})
        session.commit()
    except SQLAlchemyError:  # the refusal itself must reach the person whatever becomes of its record
        session.rollback()
        _log.exception("A refusal could not be written into the audit trail.")


def _tried(error: BaseException) -> str:
    """The innermost use case that the error went through, e.g. ``review_scan.accept_scan``; else our innermost step."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    steps = [(str(frame.f_globals.get("__name__", "")), frame.f_code.co_name) for frame in frames]
    own = [step for step in steps if step[0].startswith(("core.", "dashboard.")) and step[0] != __name__]
    module, function = next((step for step in reversed(own) if ".usecases." in step[0]), own[-1] if own else ("", ""))
    return f"{module.rpartition('.')[2]}.{function}" if module else "a statement"


def _run(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:  # noqa: BLE001 - the commit stands; see after_commit
        _log.exception("An after-commit action failed; what it announces will be found at the next sweep.")
