"""Every test opens engines of its own; the statements that SQLAlchemy compiled for one engine serve all of a run.

A program has an engine per role and compiles each statement once. With an engine per test a fifth of the time of a test
that asks the database went into compiling the same statements again.
"""

from typing import Any

import pytest
from sqlalchemy import Dialect, Engine, create_engine
from sqlalchemy.util import LRUCache

N_STATEMENTS = 4000


def share_statements(patch: pytest.MonkeyPatch) -> None:
    """From now on the engines of core.database.session have one dialect and one cache: a statement's key names both."""
    compiled: LRUCache[Any, Any] = LRUCache(N_STATEMENTS)
    shared: list[Dialect] = []

    def create_sharing_engine(*arguments: Any, **named: Any) -> Engine:
        engine = create_engine(*arguments, **named)
        engine.update_execution_options(compiled_cache=compiled)
        if shared and hasattr(shared[0], "server_version_info"):  # it has met a server, so it knows what it speaks to
            engine.dialect = shared[0]
        else:
            shared[:] = [engine.dialect]
        return engine

    patch.setattr("core.database.session.create_engine", create_sharing_engine)
