"""The one place that asks what time it is, so that tests and the demo study can set it."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, UTC and aware."""
    return datetime.now(tz=UTC)
