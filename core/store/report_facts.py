"""What a report says beside rates: names, and the models behind its figures."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, ModelVersion, Scan, Site, Study
from core.errors import NotFoundError
from core.store.scan_filter import ScanFilter, filter_conditions


@dataclass(frozen=True, slots=True)
class Named:
    """A study or a site by code and name. ``country`` is a site's, where it is known."""

    id: int
    code: str
    name: str
    country: str = ""

    @property
    def words(self) -> str:
        """``S1 · Eye Clinic``; the code alone where the name says no more."""
        return f"{self.code} · {self.name}" if self.name and self.name != self.code else self.code


def read_study(session: Session, study_id: int) -> Named:
    """NotFoundError where the session may not see it."""
    row = session.execute(select(Study.id, Study.code, Study.name).where(Study.id == study_id)).one_or_none()
    return Named(*_found(row, f"study {study_id}"))


def read_site(session: Session, site_id: int) -> Named:
    """NotFoundError where the session may not see it."""
    statement = select(Site.id, Site.code, Site.name, Site.country).where(Site.id == site_id)
    return Named(*_found(session.execute(statement).one_or_none(), f"site {site_id}"))


def find_study(session: Session, code: str) -> Named:
    """The study of this code; NotFoundError where there is none that the session may see."""
    row = session.execute(select(Study.id, Study.code, Study.name).where(Study.code == code)).one_or_none()
    return Named(*_found(row, f"study {code!r}"))


def _found(row: Any, what: str) -> Any:
    if row is None:
        raise NotFoundError(f"There is no {what}, or none that you may see.", remedy="Check its code.")
    return row


def read_models(session: Session, chosen: ScanFilter) -> tuple[str, ...]:
    """Name and version of every model whose assessment counts for a scan under ``chosen``."""
    counts = (
        select(Scan.id)
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .where(Assessment.model_version_id == ModelVersion.id, *filter_conditions(chosen))
        .exists()
    )
    rows = session.execute(select(ModelVersion.name, ModelVersion.version).where(counts).order_by(ModelVersion.id))
    return tuple(dict.fromkeys(f"{name} {version}" for name, version in rows))
