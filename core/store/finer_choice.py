"""What the filters offer beside places and scan types: devices, software, visits, model versions. Bounded looks."""

from dataclasses import dataclass

from sqlalchemy import Select, func, select, true
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Device, ModelVersion, RateCell, RateDelta, Site, Visit
from core.store.protocol import read_protocols
from core.store.rate_sum import Grain
from core.store.scan_filter import Choice, ScanFilter, site_conditions

LATEST_CAPTURES = 8
"""Of each site so many are looked at for the visits that they belong to: visits grow with scans."""
MOST_VISITS = 200
"""So many codes are offered; a programme has a dozen, any other can be typed in."""


@dataclass(frozen=True, slots=True)
class FinerChoices:
    """What the finer filters offer to this person."""

    manufacturers: tuple[str, ...]
    device_models: tuple[str, ...]
    """Of the chosen manufacturer."""
    software_versions: tuple[str, ...]
    visit_codes: tuple[str, ...]
    """Those that protocols name and those of the latest captures; there may be others."""
    model_versions: tuple[Choice, ...]


def read_finer_choices(session: Session, chosen: ScanFilter) -> FinerChoices:
    """What the finer filters offer, by the person's own sites and narrowed by study, site and manufacturer."""
    devices = (
        select(Device.manufacturer, Device.model)
        .join(Site, Site.id == Device.site_id)
        .where(*site_conditions(chosen))
        .distinct()
        .subquery()
    )
    models = select(devices.c.model)
    if chosen.manufacturer is not None:
        models = models.where(devices.c.manufacturer == chosen.manufacturer)
    versions = session.execute(
        select(ModelVersion.id, ModelVersion.name, ModelVersion.version).order_by(ModelVersion.id.desc())
    )
    return FinerChoices(
        manufacturers=_sorted(session, select(devices.c.manufacturer)),
        device_models=_sorted(session, models),
        software_versions=_sorted(session, _software_versions(chosen)),
        visit_codes=tuple(sorted({*_named_visits(session, chosen), *session.scalars(_latest_visits(chosen))})),
        model_versions=tuple(Choice(id_, f"{name} {version}") for id_, name, version in versions),
    )


def _sorted(session: Session, statement: Select[str]) -> tuple[str, ...]:
    return tuple(sorted({each for each in session.scalars(statement) if each}, key=str.lower))


def _software_versions(chosen: ScanFilter) -> Select[str]:
    """From the cells, a handful for each device, and from what is not folded yet."""
    sites = select(Site.id).where(*site_conditions(chosen))
    folded = select(RateCell.software_version).where(RateCell.grain == Grain.SOFTWARE, RateCell.site_id.in_(sites))
    both = folded.union(select(RateDelta.software_version).where(RateDelta.site_id.in_(sites))).subquery()
    return select(both.c.software_version)


def _named_visits(session: Session, chosen: ScanFilter) -> set[str]:
    studies = session.scalars(select(Site.study_id).where(*site_conditions(chosen)).distinct()).all()
    timeline = read_protocols(session, studies)
    return {
        code
        for versions in timeline.by_study.values()
        for version in versions
        for code in (
            *(window.visit for window in version.protocol.visit_windows),
            *(visit for scan in version.protocol.expected for visit in scan.visits),
        )
    }


def _latest_visits(chosen: ScanFilter) -> Select[str]:
    latest = (
        select(Acquisition.visit_id)
        .where(Acquisition.site_id == Site.id)
        .order_by(Acquisition.acquired_at.desc())
        .limit(LATEST_CAPTURES)
        .lateral()
    )
    visits = (
        select(func.distinct(latest.c.visit_id).label("id"))
        .select_from(Site)
        .join(latest, true())
        .where(*site_conditions(chosen))
        .subquery()
    )
    # Visit by visit, by its key: the planner would read all of them.
    code = select(Visit.code).where(Visit.id == visits.c.id).offset(0).lateral()
    return select(code.c.code).distinct().select_from(visits).join(code, true()).limit(MOST_VISITS)
