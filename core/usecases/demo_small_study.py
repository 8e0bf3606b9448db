"""A demonstration study of one site and one device, and who sees it."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.policy.protocol import Protocol
from core.store.access import PROGRAM, Grant
from core.usecases.administer_study import add_device, add_site, add_study, add_technician
from core.usecases.demo_people import let_see
from core.vocabulary import Role

TECHNICIAN = "T01"


@dataclass(frozen=True, slots=True)
class SmallStudy:
    """Codes and names of the study and its one place."""

    code: str
    name: str
    site: str
    site_name: str
    country: str
    device: str
    manufacturer: str
    model: str


def set_up_small_study(session: Session, study: SmallStudy) -> None:
    """Add it, without a visit window; the demo's manager and reviewer see it."""
    study_id = add_study(
        session, actor=PROGRAM, code=study.code, name=study.name, is_demo=True,
        protocol=Protocol(name=study.code, visit_window_days=None),
    )  # fmt: skip
    site_id = add_site(
        session, actor=PROGRAM, study_id=study_id, code=study.site, name=study.site_name, country=study.country
    )
    add_device(
        session, actor=PROGRAM, site_id=site_id, code=study.device, manufacturer=study.manufacturer,
        model=study.model, serial="not stated",
    )  # fmt: skip
    add_technician(session, actor=PROGRAM, site_id=site_id, code=TECHNICIAN)
    let_see(session, ["manager"], Grant(Role.MANAGER, study_id, None))
    let_see(session, ["qc"], Grant(Role.QC_TECHNICIAN, study_id, None))
