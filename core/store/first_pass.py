"""A technician's own first-pass rate beside the study's median. Of others only the median can be had, by a function."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.database.tables import Site, Study, Technician


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """Whose rate is a person's own: the technician that the account is linked with, else the site as a whole."""

    study_id: int
    study_code: str
    site_id: int
    site_code: str
    technician_id: int | None
    technician_code: str | None


@dataclass(frozen=True, slots=True)
class StudyMedian:
    """The median first-pass rate of a study's units with at least 30 decided captures, and its 95 % interval, 0..1.

    The interval is median +- 1.82 IQR / root(n): the normal approximation of McGill, Tukey and Larsen 1978
    (doi:10.1080/00031305.1978.10479236) for one median. ``n_units`` is at least 5; below that there is no median.
    """

    median: float
    low: float
    high: float
    n_units: int


def read_own_places(session: Session, user_id: int, site_ids: Sequence[int]) -> tuple[OwnPlace, ...]:
    """The person's places at these sites, by study and site; a technician's come before the site as a whole."""
    rows = session.execute(
        select(Study.id, Study.code, Site.id, Site.code, Technician.id, Technician.code)
        .select_from(Site)
        .join(Study, Study.id == Site.study_id)
        .outerjoin(Technician, (Technician.site_id == Site.id) & (Technician.user_id == user_id))
        .where(Site.id.in_(tuple(site_ids)))
        .order_by(Study.code, Site.code, Technician.code)
    )
    return tuple(OwnPlace(*row) for row in rows)


def read_study_median(
    session: Session, study_id: int, *, by_technician: bool, since: date, until: date
) -> StudyMedian | None:
    """The median over whole weeks: 13, 26 or 52 of them from a Monday on. None for fewer than five units.

    The database gives no more than this, and to nobody without a role in the study.
    """
    grain = "technician" if by_technician else "site"
    row = session.execute(
        text("select * from first_pass_median(:study_id, :grain, :since, :until)"),
        {"study_id": study_id, "grain": grain, "since": since, "until": until},
    ).one_or_none()
    return None if row is None else StudyMedian(row.median, row.low, row.high, row.n_units)
