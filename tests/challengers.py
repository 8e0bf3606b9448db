"""A second model version's assessments of scans that another has scored, as rows. Import `from challengers import rescore`."""

from collections.abc import Mapping

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from core.database import tables
from core.vocabulary import Verdict


def add_version(session: Session, name: str = "challenger", version: str = "9.0") -> tables.ModelVersion:
    """A model version that has scored nothing yet."""
    made = tables.ModelVersion(
        name=name, version=version, weights_sha256="beef" + "0" * 60, preprocessing="octa-enface/1", card={}
    )
    session.add(made)
    session.flush()
    return made


def rescore(
    session: Session,
    version: tables.ModelVersion,
    said: Mapping[int, tuple[int, Verdict]],
    *,
    is_counting: bool = False,
) -> None:
    """What ``version`` says of scans that are scored: id -> grade and verdict. ``is_counting`` makes it count."""
    scans = session.scalars(select(tables.Scan).where(tables.Scan.id.in_(said))).all()
    for scan in scans:
        known = session.get_one(tables.Assessment, scan.assessment_id)
        named = inspect(tables.Assessment).column_attrs.keys()
        values = {name: getattr(known, name) for name in named if name != "id"}
        ordinal, verdict = said[scan.id]
        values |= {"model_version_id": version.id, "grade_ordinal": ordinal, "verdict": verdict.value}
        made = tables.Assessment(**values)
        session.add(made)
        session.flush()
        if is_counting:
            scan.assessment_id = made.id
    session.flush()
