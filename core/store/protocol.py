"""Protocol versions as they were in force: which one applies to a scan taken at a moment. Reads only."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import ProtocolVersion
from core.policy.protocol import Protocol


@dataclass(frozen=True, slots=True)
class ProtocolInForce:
    """A protocol version of a study, with the row that an assessment under it refers to."""

    id: int
    number: int
    effective_at: datetime
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class ProtocolTimeline:
    """The protocol versions of some studies in the order in which they came into force."""

    by_study: dict[int, tuple[ProtocolInForce, ...]]

    def at(self, study_id: int, moment: datetime) -> ProtocolInForce | None:
        """The version in force when a scan was taken; for an older scan the first; None where a study has none."""
        versions = self.by_study.get(study_id, ())
        if not versions:
            return None
        position = bisect_right([version.effective_at for version in versions], moment)
        return versions[max(position - 1, 0)]

    def version(self, version_id: int) -> ProtocolInForce | None:
        """The version of that id; None where none of these studies has it."""
        return next((each for versions in self.by_study.values() for each in versions if each.id == version_id), None)


def read_protocols(session: Session, study_ids: Iterable[int]) -> ProtocolTimeline:
    """Every protocol version of these studies, parsed."""
    rows = session.execute(
        select(ProtocolVersion.id, ProtocolVersion.study_id, ProtocolVersion.number, ProtocolVersion.effective_at,
               ProtocolVersion.document)
        .where(ProtocolVersion.study_id.in_(tuple(study_ids)))
        .order_by(ProtocolVersion.study_id, ProtocolVersion.effective_at, ProtocolVersion.number)
    )  # fmt: skip
    by_study: dict[int, list[ProtocolInForce]] = defaultdict(list)
    for row in rows:
        by_study[row.study_id].append(
            ProtocolInForce(row.id, row.number, row.effective_at, Protocol.model_validate(row.document))
        )
    return ProtocolTimeline({study_id: tuple(versions) for study_id, versions in by_study.items()})
