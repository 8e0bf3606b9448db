"""Keyset paging: a page begins after the row that the last one ended with, however many rows came meanwhile."""

import base64
import binascii
import json

from pydantic import BaseModel, ConfigDict, Field

from core.errors import UsageError
from dashboard.api.documents.base import MAX_ID

MAX_LIMIT = 500
"""Most rows of one page."""


class Paged(BaseModel):
    """The query of a list that goes on. Subclasses say what narrows it, and another usual ``limit``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=MAX_LIMIT, description=f"Most rows of this page, up to {MAX_LIMIT}.")
    after: str | None = Field(
        None,
        max_length=200,
        pattern="^[A-Za-z0-9_-]+$",
        description="`next` of the page before; left out: the first page.",
    )

    @property
    def before_id(self) -> int | None:
        """Of a list by id: below which one this page begins; None for the first."""
        ids = ids_after(self.after)
        return None if ids is None else ids[0]

    @property
    def number(self) -> int:
        """Of a list sorted by urgency, which has no key: which page of ``limit`` rows this is, from 0.

        UsageError where ``limit`` is not that of the page before.
        """
        number, rest = divmod(self.before_id or 0, self.limit)
        if rest:
            raise UsageError(
                "`limit` is not that of the page before.", remedy="Keep it, or begin anew without `after`."
            )
        return number

    def next_of(self, shown: int, *, total: int) -> str | None:
        """Of such a list: where its next page begins, ``shown`` rows on; None after the last of ``total``."""
        reached = self.number * self.limit + shown
        return cursor(reached) if shown and reached < total else None


def cursor(*key: int | str | None) -> str:
    """The key of a page's last row, as the opaque text that the next request gives back."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def ids_after(after: str | None, *, n: int = 1) -> tuple[int, ...] | None:
    """The ids in a cursor of ``n`` of them; None for the first page. UsageError for what no page gave."""
    if after is None:
        return None
    try:
        key = json.loads(base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or len(key) != n or not all(_is_id(each) for each in key):
        raise UsageError("`after` is no cursor of this list.", remedy="Give back `next` of the page before, unchanged.")
    return tuple(key)


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_ID
