"""What checks of accepted scans found, beside what the accept level promises: the share overturned, with intervals."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.statistics.proportions import Proportion, exact_interval
from core.store.accepted_check import CheckedScan, read_accepted_share, read_checked
from core.store.scan_filter import ScanFilter
from core.values import NotComputable


@dataclass(frozen=True, slots=True)
class DeviceCheck:
    """The checks of one device's accepted scans."""

    device_code: str
    site_code: str
    overturned: Proportion | NotComputable


@dataclass(frozen=True, slots=True)
class AcceptanceCheck:
    """What people found of the accepted scans that were drawn for them.

    ``overturned`` is the share of the *accepted* scans that are ungradable; the accept level bounds the share of *all*
    scans that are accepted although ungradable, ``of_all``: the same figures times the share that is accepted.
    """

    overturned: Proportion | NotComputable
    accepted_share: float | None
    """Of the latest scored scans; None where none was scored."""
    devices: tuple[DeviceCheck, ...]

    @property
    def of_all(self) -> tuple[float, float, float] | None:
        """Share of all scans with its 95 % interval, the accepted share taken as known; None: nothing checked."""
        if isinstance(self.overturned, NotComputable) or self.accepted_share is None:
            return None
        found, share = self.overturned, self.accepted_share
        return found.value * share, found.low * share, found.high * share


def measure_acceptance(session: Session, chosen: ScanFilter) -> AcceptanceCheck:
    """The checks under ``chosen``, whole and by device, the most checked device first; intervals are exact."""
    checked = read_checked(session, chosen)
    n_accepted, n_scored = read_accepted_share(session, chosen)
    by_device: dict[int, list[CheckedScan]] = defaultdict(list)
    for each in checked:
        by_device[each.device_id].append(each)
    devices = sorted(by_device.values(), key=lambda own: (-len(own), own[0].site_code, own[0].device_code))
    return AcceptanceCheck(
        overturned=_overturned(checked),
        accepted_share=n_accepted / n_scored if n_scored else None,
        devices=tuple(DeviceCheck(own[0].device_code, own[0].site_code, _overturned(own)) for own in devices),
    )


def _overturned(checked: tuple[CheckedScan, ...] | list[CheckedScan]) -> Proportion | NotComputable:
    return exact_interval(sum(each.is_overturned for each in checked), len(checked))
