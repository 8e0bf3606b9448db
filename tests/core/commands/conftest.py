"""A command line as an operator types it, over a test's own servers."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

import core.cli
from core.settings import Settings


@pytest.fixture
def octaudit(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command line with the test's settings in the environment."""
    for name, value in settings.model_dump(exclude_none=True).items():
        if name.startswith("database_") or name in {"home", "redis_url"}:
            plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
            monkeypatch.setenv(f"OCTAUDIT_{name.upper()}", str(plain))
    return lambda *words: CliRunner().invoke(core.cli.main, words)
