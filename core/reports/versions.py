"""Which protocol version and which models stand behind a report's figures, in words and as what its row keeps."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core.policy.protocol import Protocol
from core.store.protocol import read_protocols
from core.store.report_facts import read_models
from core.store.scan_filter import ScanFilter


@dataclass(frozen=True, slots=True)
class Versions:
    """``protocol`` words the reasons; ``number`` is None where the study has no version yet."""

    protocol: Protocol
    number: int | None
    models: tuple[str, ...]

    @property
    def words(self) -> str:
        """``Protocol version 2. Model: octa-enface 1.0.`` or that there is none."""
        protocol = f"Protocol version {self.number}" if self.number is not None else "Default protocol"
        if not self.models:
            return f"{protocol}. No scan was scored by a model."
        return f"{protocol}. Model{'s' if len(self.models) > 1 else ''}: {', '.join(self.models)}."

    @property
    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {"protocol": self.number, "models": list(self.models)}


def read_versions(session: Session, chosen: ScanFilter, *, at: datetime) -> Versions:
    """The protocol in force at ``at`` and the models whose grades count for the scans under ``chosen``."""
    assert chosen.study_id is not None, "a report is of one study"
    found = read_protocols(session, [chosen.study_id]).at(chosen.study_id, at)
    protocol, number = (found.protocol, found.number) if found else (Protocol.default(), None)
    return Versions(protocol, number, read_models(session, chosen))
