"""Takes the demo study's scans: who operates which device, and what goes wrong how often, by site, device and week."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from core.phantom.demo_roster import (
    BAD_SITE,
    DECLINE_WEEK,
    DECLINING_DEVICE,
    DEVICES,
    TECHNICIANS,
    UPDATE_WEEK,
    UPDATED_DEVICE,
    UPDATED_SOFTWARE,
)
from core.phantom.demo_values import DemoAcquisition, DemoDevice, DemoVisit
from core.phantom.spec import OctaPhantomSpec
from core.phantom.strength import foreseen_ordinal
from core.vocabulary import OCTA_ARTIFACTS, Laterality

FIELDS = (3.0, 6.0)
QUALITY_NAME = "SSI"

_POOR_SHARE = 0.06
"""Share of visits that fail anywhere, at any time, for an ordinary reason."""
_BAD_SITE_POOR_SHARE = 0.88
_SAME_FATE = 0.9
"""How often a failing visit fails in its second scan too: fixation and media are the patient's."""
_MILD_SHARE = 0.35
"""Share of gradable scans with a mild artifact, which makes them Gradable (1) instead of outstanding."""

_FAILURES = ("motion", "shadow", "defocus", "low_signal", "decentration")
_FAILURE_ODDS = (0.35, 0.2, 0.15, 0.2, 0.1)
_SEVERE: dict[str, tuple[float, float]] = {
    "motion": (0.72, 0.92),
    "shadow": (0.75, 0.95),
    "defocus": (0.6, 0.95),
    "low_signal": (0.55, 0.9),
    "decentration": (0.65, 0.9),
}
"""Strengths that are ungradable beyond doubt: well above the borders of core.phantom.strength."""
_MILD = (0.16, 0.32)


@dataclass(slots=True)
class Capturer:
    """Draws captures one after the other from one generator; counts visits to share devices and technicians evenly."""

    rng: np.random.Generator
    starts_on: date
    _taken: Counter[str]
    _visits: Counter[str]

    def __init__(self, rng: np.random.Generator, starts_on: date) -> None:
        self.rng, self.starts_on = rng, starts_on
        self._taken, self._visits = Counter(), Counter()

    def first_attempts(self, visit: DemoVisit) -> list[DemoAcquisition]:
        """The visit's captures, one per field, all on one device by one technician."""
        site = visit.subject.site
        device, technician = self._device(site), self._technician(site, self._week(visit.planned_on))
        fails = self.rng.random() < self._poor_share(device, visit.planned_on)
        at = datetime.combine(visit.planned_on, time(8, 0), UTC) + timedelta(minutes=int(self.rng.integers(0, 480)))
        captures = []
        for number, field_mm in enumerate(visit.fields_mm):
            is_poor = bool(fails and (number == 0 or self.rng.random() < _SAME_FATE))
            strengths = self._strengths(device, visit.planned_on, is_poor=is_poor)
            at += timedelta(minutes=int(self.rng.integers(2, 6)))
            captures.append(
                self._capture(
                    visit, "A1", device=device, technician=technician, at=at, field_mm=field_mm, strengths=strengths
                )
            )
        return captures

    def second_attempt(self, first: DemoAcquisition, on: date, *, is_poor: bool) -> DemoAcquisition:
        """The capture taken again at the same site, by whoever is there, on another device where there is one."""
        others = [d for d in DEVICES if d.site == first.site and d.code != DECLINING_DEVICE]
        device = others[int(self.rng.integers(len(others)))]
        technician = self._technician(first.site, self._week(on))
        kind = "motion" if first.site == BAD_SITE else str(self.rng.choice(_FAILURES, p=_FAILURE_ODDS))
        strengths = {kind: float(self.rng.uniform(*_SEVERE[kind]))} if is_poor else self._harmless()
        at = datetime.combine(on, time(8, 0), UTC) + timedelta(minutes=int(self.rng.integers(0, 480)))
        return self._capture(
            first.visit,
            "A2",
            device=device,
            technician=technician,
            at=at,
            field_mm=first.field_mm,
            strengths=strengths,
            replaces=first.key,
        )

    def _week(self, day: date) -> int:
        return (day - self.starts_on).days // 7 + 1

    def _device(self, site: str) -> DemoDevice:
        """The site's device that lags most behind its share, so that shares hold in every run."""
        devices = [device for device in DEVICES if device.site == site]
        self._visits[site] += 1
        device = max(devices, key=lambda d: d.share * self._visits[site] - self._taken[d.code])
        self._taken[device.code] += 1
        return device

    def _technician(self, site: str, week: int) -> str:
        present = [t.code for t in TECHNICIANS if t.site == site and t.starts_in_week <= week]
        return present[int(self.rng.integers(len(present)))]

    def _poor_share(self, device: DemoDevice, day: date) -> float:
        if device.site == BAD_SITE:
            return _BAD_SITE_POOR_SHARE
        weeks_in = self._week(day) - DECLINE_WEEK
        if device.code == DECLINING_DEVICE and weeks_in >= 0:
            return min(0.95, 0.70 + 0.08 * weeks_in)
        return _POOR_SHARE

    def _strengths(self, device: DemoDevice, day: date, *, is_poor: bool) -> dict[str, float]:
        if not is_poor:
            return self._harmless()
        kind = str(self.rng.choice(_FAILURES, p=_FAILURE_ODDS))
        if device.site == BAD_SITE:
            kind = "motion"
        if device.code == DECLINING_DEVICE and self._week(day) >= DECLINE_WEEK:
            kind = "low_signal"
        return {kind: float(self.rng.uniform(*_SEVERE[kind]))}

    def _harmless(self) -> dict[str, float]:
        if self.rng.random() > _MILD_SHARE:
            return {}
        kind = self.rng.choice([artifact.value for artifact in OCTA_ARTIFACTS])
        return {str(kind): float(self.rng.uniform(*_MILD))}

    def _quality(self, device: DemoDevice, day: date, strengths: dict[str, float]) -> int:
        """Signal strength index, 0 to 100: falls with lost signal, and slowly on the declining device."""
        lost = 30.0 * strengths.get("low_signal", 0.0) + 12.0 * strengths.get("shadow", 0.0)
        if device.code == DECLINING_DEVICE:
            lost += 1.3 * max(0, self._week(day) - DECLINE_WEEK + 1)
        return int(np.clip(round(self.rng.normal(71.0, 4.0) - lost), 15, 95))

    def _capture(
        self,
        visit: DemoVisit,
        code: str,
        *,
        device: DemoDevice,
        technician: str,
        at: datetime,
        field_mm: float,
        strengths: dict[str, float],
        replaces: str | None = None,
    ) -> DemoAcquisition:
        subject = visit.subject
        seed = int(self.rng.integers(2**31))
        spec = OctaPhantomSpec(
            field_mm=field_mm,
            motion=strengths.get("motion", 0.0),
            shadow=strengths.get("shadow", 0.0),
            defocus=strengths.get("defocus", 0.0),
            low_signal=strengths.get("low_signal", 0.0),
            decentration=strengths.get("decentration", 0.0),
            nonperfusion=subject.nonperfusion,
            is_right_eye=subject.laterality is Laterality.OD,
            look=device.look,
            eye_seed=subject.eye_seed,
            capture_seed=seed,
        )
        is_updated = device.code == UPDATED_DEVICE and self._week(at.date()) >= UPDATE_WEEK
        return DemoAcquisition(
            visit=visit,
            code=code,
            device=device.code,
            software_version=UPDATED_SOFTWARE if is_updated else device.software_version,
            technician=technician,
            acquired_at=at,
            field_mm=field_mm,
            quality_name=QUALITY_NAME,
            quality_value=self._quality(device, at.date(), strengths),
            spec=spec,
            seed=seed,
            foreseen=foreseen_ordinal(spec),
            replaces=replaces,
        )
