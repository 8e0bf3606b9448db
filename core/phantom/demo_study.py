"""The demo study: six sites over 26 weeks with planted faults, as a pure, seeded description; images come on demand.

``demo_study(ends_on)`` describes it, ``render(scan)`` draws one image of it. Effects are so large that the
funnel finds the bad site at 99.8 %, and a CUSUM the declining device, in more than 99 of 100 seeds
(tests/core/phantom/test_demo_study.py simulates it with core.statistics).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from core.phantom.demo_captures import FIELDS, Capturer
from core.phantom.demo_roster import (
    BAD_SITE,
    DECLINE_CAUSE,
    DECLINE_WEEK,
    DECLINING_DEVICE,
    DEVICES,
    NEWCOMER,
    NEWCOMER_WEEK,
    SITES,
    TECHNICIANS,
    TINY_SITE,
    UPDATE_WEEK,
    UPDATED_DEVICE,
    UPDATED_SOFTWARE,
)
from core.phantom.demo_values import (
    DemoEvent,
    DemoScan,
    DemoSite,
    DemoStudy,
    DemoSubject,
    DemoVisit,
    Planted,
)
from core.phantom.demo_workflow import grade_masked, request_repeats
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantom
from core.vocabulary import Laterality, ReasonCode

N_WEEKS = 26
AMENDMENT_WEEK = 18
VISIT_WINDOW_DAYS = 28
DEFAULT_SEED = 2026
_MISSED_SHARE = 0.04
"""Visits that were due and brought no scan, so that completeness is below 100 %."""
_BOTH_FIELDS_SHARE = 0.22
"""Visits that bring a 3 mm and a 6 mm scan; the others bring one of them."""
_DIAGNOSES = ("healthy", "diabetic retinopathy", "multiple sclerosis", "glaucoma suspect")


def demo_study(ends_on: date, seed: int = DEFAULT_SEED) -> DemoStudy:
    """Describe the study whose last day is ``ends_on``; the same arguments give the same study."""
    rng = np.random.default_rng([4, seed])
    starts_on = ends_on - timedelta(days=ends_on.weekday() + 7 * (N_WEEKS - 1))
    calendar = _Calendar(starts_on, ends_on)
    visits = [visit for site in SITES for visit in _visits(rng, site, calendar)]
    capturer = Capturer(rng, starts_on)
    first_pass = [
        acquisition for visit in visits if not visit.is_missed for acquisition in capturer.first_attempts(visit)
    ]
    requests = request_repeats(rng, capturer, first_pass, ends_on)
    replacements = [request.replacement for request in requests if request.replacement is not None]
    return DemoStudy(
        code="DEMO",
        name="Demonstration study (simulated scans)",
        starts_on=starts_on,
        ends_on=ends_on,
        visit_window_days=VISIT_WINDOW_DAYS,
        sites=SITES,
        devices=DEVICES,
        technicians=TECHNICIANS,
        visits=tuple(visits),
        acquisitions=tuple(sorted([*first_pass, *replacements], key=lambda a: (a.acquired_at, a.key))),
        requests=requests,
        gradings=grade_masked(rng, first_pass, ends_on),
        events=_events(calendar),
        planted=_planted(calendar),
    )


def render(scan: DemoScan) -> OctaPhantom:
    """The image of one scan of the study, with its truth."""
    return render_octa(scan.spec, scan.acquisition.seed)


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Weeks of the study and moments in them."""

    starts_on: date
    ends_on: date

    def day(self, week: int, weekday: int) -> date:
        """A working day of a week, not after the study's last day."""
        return min(self.starts_on + timedelta(days=7 * (week - 1) + weekday), self.ends_on)

    def moment(self, week: int) -> datetime:
        """Monday morning of a week."""
        return datetime.combine(self.day(week, 0), time(8, 0), UTC)


def _visits(rng: np.random.Generator, site: DemoSite, calendar: _Calendar) -> list[DemoVisit]:
    """The site's visits, spread evenly over the weeks; a subject comes for up to three of them, weeks apart."""
    weeks = np.linspace(1, N_WEEKS + 1, site.n_visits, endpoint=False).astype(int)
    subjects: list[tuple[DemoSubject, int, int]] = []
    visits = []
    for week in weeks.tolist():
        returning = [n for n, (_, seen, last) in enumerate(subjects) if seen < 3 and week - last >= 8]  # noqa: PLR2004
        if returning and rng.random() < 0.4:  # noqa: PLR2004 - about a third of visits are follow-ups
            number = returning[0]
            subject, seen, _ = subjects[number]
            subjects[number] = (subject, seen + 1, week)
        else:
            subject, seen = _subject(rng, site, len(subjects) + 1), 0
            subjects.append((subject, 1, week))
        day = calendar.day(week, int(rng.integers(0, 5)))
        fields = FIELDS if rng.random() < _BOTH_FIELDS_SHARE else (FIELDS[int(rng.random() < 0.35)],)  # noqa: PLR2004
        window_ends_on = day + timedelta(days=VISIT_WINDOW_DAYS)
        is_missed = bool(rng.random() < _MISSED_SHARE) and site.code != TINY_SITE
        visits.append(DemoVisit(subject, f"V{seen + 1}", day, window_ends_on, fields, is_missed))
    return visits


def _subject(rng: np.random.Generator, site: DemoSite, number: int) -> DemoSubject:
    diagnosis = str(rng.choice(_DIAGNOSES, p=[0.4, 0.25, 0.25, 0.1]))
    is_diabetic = diagnosis == "diabetic retinopathy"
    return DemoSubject(
        code=f"{site.code}-{number:04d}",
        site=site.code,
        laterality=Laterality.OD if rng.random() < 0.5 else Laterality.OS,  # noqa: PLR2004 - a fair coin
        age_years=int(np.clip(rng.normal(56, 14), 22, 88)),
        diagnosis=diagnosis,
        axial_length_mm=round(float(rng.normal(23.8, 0.9)), 2) if rng.random() < 0.5 else None,  # noqa: PLR2004
        nonperfusion=float(rng.uniform(0.1, 0.6)) if is_diabetic else 0.0,
        eye_seed=int(rng.integers(2**31)),
    )


def _events(calendar: _Calendar) -> tuple[DemoEvent, ...]:
    site = UPDATED_DEVICE.rsplit("-", 1)[0]
    return (
        DemoEvent(
            "software update",
            calendar.moment(UPDATE_WEEK),
            f"{UPDATED_DEVICE} updated to {UPDATED_SOFTWARE}.",
            site,
            UPDATED_DEVICE,
        ),
        DemoEvent(
            "service",
            calendar.moment(DECLINE_WEEK),
            DECLINE_CAUSE,
            DECLINING_DEVICE.rsplit("-", 1)[0],
            DECLINING_DEVICE,
        ),
        DemoEvent(
            "new technician",
            calendar.moment(NEWCOMER_WEEK),
            f"{NEWCOMER} starts taking scans.",
            NEWCOMER.rsplit("-", 1)[0],
        ),
        DemoEvent(
            "protocol amendment",
            calendar.moment(AMENDMENT_WEEK),
            "Amendment 1: both the superficial and the deep slab are required.",
        ),
    )


def _planted(calendar: _Calendar) -> Planted:
    faulty = {BAD_SITE, TINY_SITE, DECLINING_DEVICE.rsplit("-", 1)[0]}
    return Planted(
        bad_site=BAD_SITE,
        bad_site_reason=ReasonCode.MP_MOTION,
        declining_device=DECLINING_DEVICE,
        decline_week=DECLINE_WEEK,
        decline_starts_on=calendar.day(DECLINE_WEEK, 0),
        decline_cause=DECLINE_CAUSE,
        decline_reason=ReasonCode.MP_SIGNAL,
        tiny_site=TINY_SITE,
        healthy_sites=tuple(site.code for site in SITES if site.code not in faulty),
    )
