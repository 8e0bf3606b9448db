"""Stops the clock for tests of pages, which run in threads of their own."""

from contextvars import ContextVar
from datetime import datetime

import pytest


def stop_clock(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Let ``core.clock.now`` say ``moment`` in every thread, for modules imported before and after.

    A replaced ``now`` would be kept by whatever is imported meanwhile, for all later tests.
    """
    monkeypatch.setattr("core.clock._pretended", ContextVar("octaudit_test_now", default=moment))
