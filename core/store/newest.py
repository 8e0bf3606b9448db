"""Finds the newest rows that answer a question without walking all of them: by ids, further back step by step."""

from collections.abc import Callable, Sequence
from typing import TypeVar

WIDER = 8
"""How many times further back a step looks at most: together they look at a seventh more than the last one."""
SPARE = 1.25
"""Rows are not spread evenly: a step looks so much further than those found so far ask for."""

Row = TypeVar("Row")


def newest(
    last_id: int, ask: Callable[[int], Sequence[Row]], *, n: int, first_reach: int, most_reach: int | None = None
) -> Sequence[Row]:
    """The rows of ``ask(oldest)``, which asks for at most ``n`` with a larger id, where ``oldest`` is far enough back.

    Row-level security hides from the planner how many rows a person sees. Asked for the newest of all, it reads and
    sorts everything; a border of ids is an index condition. No further back than ``most_reach`` ids is looked.
    """
    reach, oldest = first_reach, last_id
    found: Sequence[Row] = ()
    furthest = 0 if most_reach is None else max(0, last_id - most_reach)
    while oldest > furthest and len(found) < n:
        oldest = max(furthest, last_id - reach)
        found = ask(oldest)
        reach = int(reach * min(max(SPARE * n / max(len(found), 1), SPARE), WIDER))
    return found
