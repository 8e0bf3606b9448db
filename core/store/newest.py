"""Finds the newest rows that answer a question without walking all of them: by ids, further back step by step."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import InstrumentedAttribute

from core.database.tables import Scan, Site
from core.store.scan_filter import ScanFilter, site_conditions

WIDER = 8
"""How many times further back a step looks at most."""
SPARE = 1.25
"""Rows are not spread evenly: a step looks so much further than those found so far ask for."""

Row = TypeVar("Row")


def within(id_: ColumnElement[int] | InstrumentedAttribute[int], borders: tuple[int, int]) -> list[ColumnElement[bool]]:
    """The condition that an id lies between the borders of a step."""
    return [id_ > borders[0], id_ <= borders[1]]


def last_scan(chosen: ScanFilter) -> Select[int]:
    """The largest id of a scan at the filter's sites, by the index of (site, id)."""
    of_site = select(Scan.id).where(Scan.site_id == Site.id).order_by(Scan.id.desc()).limit(1).lateral()
    return select(func.max(of_site.c.id)).select_from(Site).join(of_site, true()).where(*site_conditions(chosen))


def newest_at_sites(scans: Select[int], chosen: ScanFilter, limit: int) -> Select[int]:
    """The newest of ``scans`` (ids of Scan) at the filter's sites.

    Site by site, so that the index of (site, id) serves every filter; then the newest of those.
    """
    of_site = scans.where(Scan.site_id == Site.id).order_by(Scan.id.desc()).limit(limit).lateral()
    return (
        select(of_site.c.id)
        .select_from(Site)
        .join(of_site, true())
        .where(*site_conditions(chosen))
        .order_by(of_site.c.id.desc())
        .limit(limit)
    )


def newest(
    last_id: int, ask: Callable[[int, int], Sequence[Row]], *, n: int, first_reach: int, most_reach: int | None = None
) -> Sequence[Row]:
    """The ``n`` newest rows of ``ask(oldest, latest)``: at most so many with oldest < id <= latest, the newest first.

    Row-level security hides from the planner how many rows a person sees. Asked for the newest of all, it reads and
    sorts everything; a border of ids is an index condition. Each step looks where the one before ended, and none
    further back than ``most_reach`` ids.
    """
    reach, oldest = first_reach, last_id
    found: list[Row] = []
    furthest = 0 if most_reach is None else max(0, last_id - most_reach)
    while oldest > furthest and len(found) < n:
        latest, oldest = oldest, max(furthest, last_id - reach)
        found.extend(ask(oldest, latest))
        reach = int(reach * min(max(SPARE * n / max(len(found), 1), SPARE), WIDER))
    return found[:n]
