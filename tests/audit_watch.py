"""Watches every transaction of the dashboard's role: what a use case changes leaves an audit event, or fails the test.

conftest.py switches it on for the whole run, so a use case that is exercised by any test is watched without a test of
its own. Statements that a test writes itself, with no use case or page on the stack, are not asked for an event.
"""

import re
import sys

from sqlalchemy import Connection, Engine, event

from core.database.roles import DatabaseRole

WITHOUT_EVENT = {
    "batch": "a draft of an upload; submitting it is the event",
    "batch_file": "a draft's files and table; submitting it is the event",
    "blob": "bytes by their hash; what names them has the event",
    "dicom_source": "what a file of a draft states; submitting it is the event",
    "rate_delta": "counts that go along with a change",
    "review_draft": "an unfinished form; saving it is the event",
    "scan_claim": "who is looking at a scan just now",
    "query_seen": "who has read a question",
}
"""Tables whose rows are no change of a record, with the reason."""
FUNCTIONS_OF_USE = {"session_actor", "current_api_client"}
"""Functions that move a time-out on and change nothing else."""

_WRITE = re.compile(r"^\s*(?:insert into|update|delete from)\s+\"?(\w+)", re.IGNORECASE)
_CALL = re.compile(r"^\s*select\s+(?:\w+(?:,\s*\w+)*\s+from\s+|\*\s+from\s+)?(\w+)\s*\(", re.IGNORECASE)

_CHANGES = re.compile(r"(?<!for )\b(?:insert into|update|delete from)\s+(?!of\b|skip\b)\w+", re.IGNORECASE)
_TELLS = re.compile(r"insert into audit_event|count_wrong_password", re.IGNORECASE)
_silent: list[frozenset[str]] = []


def watch() -> None:
    """Listen to every engine from now on."""
    event.listen(Engine, "begin", _forget)
    event.listen(Engine, "after_cursor_execute", _note)
    event.listen(Engine, "commit", _check)


def unwatch() -> None:
    """Listen no more."""
    event.remove(Engine, "begin", _forget)
    event.remove(Engine, "after_cursor_execute", _note)
    event.remove(Engine, "commit", _check)


def _forget(connection: Connection) -> None:
    connection.info["audit_watch"] = {}


def _note(connection: Connection, cursor, statement: str, _parameters, _context, _many: bool) -> None:
    if connection.engine.url.username != DatabaseRole.DASHBOARD:
        return
    written = _WRITE.match(statement)
    called = _CALL.match(statement)
    if written and cursor.rowcount == 0:
        return
    if written:
        name = written.group(1).lower()
    elif called and called.group(1) in _silent_functions(connection):
        name = called.group(1)
    else:
        return
    step = _use_case()
    if name == "audit_event" or (step and name not in WITHOUT_EVENT):
        connection.info.setdefault("audit_watch", {})[name] = step


def _check(connection: Connection) -> None:
    changed = connection.info.pop("audit_watch", {})
    if changed and "audit_event" not in changed:
        told = ", ".join(f"{name} by {step}" for name, step in changed.items())
        raise AssertionError(f"changed without an audit event: {told}")


def _silent_functions(connection: Connection) -> frozenset[str]:
    """The database's functions that change rows and leave the event to the use case that calls them."""
    if not _silent:
        query = (
            "select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace and provolatile = 'v' "
            "and prorettype <> 'trigger'::regtype"
        )
        bodies = {row.proname: row.prosrc for row in connection.exec_driver_sql(query)}
        writers = {name for name, body in bodies.items() if _CHANGES.search(body) and not _TELLS.search(body)}
        _silent.append(frozenset(writers - FUNCTIONS_OF_USE))
    return _silent[0]


def _use_case() -> str:
    """The use case or page that the statement comes from; "" where a test wrote it itself."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith(("core.usecases.", "dashboard.")):
            return f"{name}.{frame.f_code.co_name}"
        frame = frame.f_back
    return ""
