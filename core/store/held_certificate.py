"""Whether a capture was taken under a certificate: those of its device and technician, and their suspensions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.database.tables import Action, Certificate
from core.policy.certification import Period, is_covered
from core.policy.protocol import Protocol
from core.store.case import ScanCase
from core.vocabulary import ActionKind


@dataclass(frozen=True, slots=True)
class Held:
    """The certificates behind some captures, and when their holders were suspended."""

    devices: Mapping[tuple[int, str], tuple[Period, ...]]
    technicians: Mapping[tuple[int, str], tuple[Period, ...]]
    suspended_devices: Mapping[int, tuple[tuple[datetime, datetime | None], ...]]
    suspended_technicians: Mapping[int, tuple[tuple[datetime, datetime | None], ...]]

    def is_device_certified(self, case: ScanCase, protocol: Protocol) -> bool:
        """Whether the protocol has nothing against the device: it is named, and certified where that is asked."""
        if protocol.known_devices and case.device_model not in protocol.known_devices:
            return False
        if not protocol.certification.devices:
            return True
        periods = self.devices.get((case.device_id, case.kind), ())
        is_held = is_covered(periods, case.acquired_at, case.software_version)
        return is_held and not _is_within(self.suspended_devices.get(case.device_id, ()), case.acquired_at)

    def is_technician_certified(self, case: ScanCase, protocol: Protocol) -> bool:
        """Whether the protocol has nothing against the technician; one who is not stated has no certificate."""
        if not protocol.certification.technicians:
            return True
        if case.technician_id is None:
            return False
        periods = self.technicians.get((case.technician_id, case.kind), ())
        suspended = self.suspended_technicians.get(case.technician_id, ())
        return is_covered(periods, case.acquired_at) and not _is_within(suspended, case.acquired_at)


def _is_within(spans: Iterable[tuple[datetime, datetime | None]], moment: datetime) -> bool:
    return any(start <= moment and (end is None or moment < end) for start, end in spans)


def read_held(session: Session, cases: Iterable[ScanCase]) -> Held:
    """The certificates and suspensions of the devices and technicians that took these scans."""
    there = tuple(cases)
    devices = {case.device_id for case in there}
    technicians = {case.technician_id for case in there if case.technician_id is not None}
    periods = session.execute(
        select(
            Certificate.device_id, Certificate.technician_id, Certificate.kind, Certificate.certified_at,
            Certificate.expires_on, Certificate.ended_at, Certificate.software_version,
        ).where(
            Certificate.certified_at.is_not(None),
            or_(Certificate.device_id.in_(devices), Certificate.technician_id.in_(technicians)),
        )
    ).all()  # fmt: skip
    by_device: dict[tuple[int, str], list[Period]] = defaultdict(list)
    by_technician: dict[tuple[int, str], list[Period]] = defaultdict(list)
    for row in periods:
        period = Period(row.certified_at, row.expires_on, row.ended_at, row.software_version)
        if row.device_id is not None:
            by_device[row.device_id, row.kind].append(period)
        else:
            by_technician[row.technician_id, row.kind].append(period)
    return Held(
        {key: tuple(found) for key, found in by_device.items()},
        {key: tuple(found) for key, found in by_technician.items()},
        _suspended(session, Action.device_id, devices),
        _suspended(session, Action.technician_id, technicians),
    )


def _suspended(
    session: Session, column: Any, ids: Iterable[int]
) -> dict[int, tuple[tuple[datetime, datetime | None], ...]]:
    rows = session.execute(
        select(column, Action.created_at, Action.closed_at).where(
            column.in_(tuple(ids)), Action.kind == ActionKind.SUSPENSION
        )
    )
    spans: dict[int, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for id_, start, end in rows:
        spans[id_].append((start, end))
    return {id_: tuple(found) for id_, found in spans.items()}
