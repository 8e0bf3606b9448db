"""Load the demo study and the sample scans through the intake that users have, and tell what happened to them.

Safe to run twice: what is there is left as it is, and a load that was cut short goes on where it stopped.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path

from PIL import Image

from core.broker import Bell
from core.clock import now
from core.database.session import Database, session_scope
from core.errors import ServerError
from core.phantom.demo_study import demo_study, render
from core.phantom.demo_values import SENT_AT, DemoAcquisition, DemoScan, DemoStudy
from core.settings import Settings
from core.storage import BlobStore
from core.store.access import PROGRAM, Actor
from core.store.batch import find_site
from core.store.demo import count_unscored, date_captures, read_held, read_scans
from core.store.report import NewReport, ask, read_reports
from core.usecases.demo_calendar import plan_follow_ups
from core.usecases.demo_certificates import tell_of_certificates
from core.usecases.demo_lanes import LANES, send_lanes
from core.usecases.demo_people import DemoLogin, find_demo_study, people_and_places, set_up_study
from core.usecases.demo_small_study import SmallStudy, set_up_small_study
from core.usecases.demo_workflow import Story, place_of, tell
from core.usecases.find_flags import standing_weeks
from core.usecases.ingest_files import Ingestion, IngestItem, ingest_files
from core.usecases.release_held import release_held
from core.vocabulary import ReportKind

CODE = "DEMO"
SAMPLES_FOLDER = Path(__file__).resolve().parents[2] / "samples"
SAMPLES = SmallStudy(
    code="SAMPLES",
    name="Sample scans (COIPS, CC BY 4.0)",
    site="COIPS",
    site_name="COIPS data set",
    country="CN",
    device="TRITON",
    manufacturer="Topcon",
    model="DRI OCT Triton",
)
REPORTED_WEEKS = 26
PATIENCE = timedelta(seconds=120)
"""No scan scored for so long: no worker is at work. Loading a model takes a quarter of that on a busy machine."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is."""
Pause = Callable[[], None]
"""Called while waiting for the worker; returns after a moment."""


@dataclass(frozen=True, slots=True)
class DemoLoad:
    """Where the demo goes, and who is told of it."""

    database: Database
    """Opened as the owner."""
    blobs: BlobStore
    bell: Bell
    settings: Settings
    progress: Progress
    pause: Pause

    def ingestion(self, actor: Actor) -> Ingestion:
        """The intake as this person uses it."""
        return Ingestion(lambda: session_scope(self.database), self.blobs, self.bell, self.settings, actor)


def load_demo_study(load: DemoLoad) -> tuple[DemoLogin, ...]:
    """Load what is missing, wait until it is scored, and return the logins; a password only where it is new.

    Raises
    ------
    ServerError
        No worker scores.
    """
    study = _described(load)
    with session_scope(load.database) as session:
        places = people_and_places(session, study)
    story = Story(study, places, lambda: session_scope(load.database))
    _load_samples(load)
    _send(load, story)
    _release(load, story)
    _wait_until_scored(load, story)
    tell(story)
    tell_of_certificates(story)
    plan_follow_ups(story)
    with session_scope(load.database) as session:
        date_captures(session, places.study_id, sent_at=SENT_AT)
    _ask_reports(load, story)
    _load_lanes(load)
    return places.logins


def _ask_reports(load: DemoLoad, story: Story) -> None:
    """A study report and a card of the bad site for the page Reports, once; the keeper makes them."""
    since, until = standing_weeks(now().date(), REPORTED_WEEKS)
    with session_scope(load.database) as session:
        study_id = story.places.study_id
        if read_reports(session, study_id=study_id, limit=1):
            return
        site = find_site(session, study=story.study.code, site=story.study.planted.bad_site)
        ask(session, NewReport(ReportKind.STUDY, study_id, None, since, until))
        ask(session, NewReport(ReportKind.SITE, study_id, site.site_id, since, until))


def _described(load: DemoLoad) -> DemoStudy:
    """The study as it was first described: its last day is the day before it was first loaded."""
    with session_scope(load.database) as session:
        found = find_demo_study(session, CODE)
        if found is not None:
            return demo_study(_last_day(found.created_at))
        moment = now()
        study = demo_study(_last_day(moment))
        set_up_study(session, study, starts_at=datetime.combine(study.starts_on, time(), UTC))
    return study


def _last_day(loaded_at: datetime) -> date:
    return loaded_at.astimezone(UTC).date() - timedelta(days=1)


def _send(load: DemoLoad, story: Story) -> None:
    """Render and submit the captures that are not there yet, as one batch per site and day.

    Replacements come with the rest and are linked when their requests are told: so one wait for the worker is enough.
    """
    with session_scope(load.database) as session:
        there, held = read_scans(session, story.places.study_id), read_held(session, story.places.study_id)
    missing = [
        acquisition
        for acquisition in story.study.acquisitions
        if not any(place_of(scan) in there or scan.file_name in held for scan in acquisition.scans)
    ]
    scans = [scan for acquisition in missing for scan in acquisition.scans]
    sent = 0

    def note(_name: str) -> None:
        nonlocal sent
        sent += 1
        load.progress("Sending scans", sent, len(scans))

    for site, batch in _batches(missing):
        items = (_item(scan, story.study.code) for acquisition in batch for scan in acquisition.scans)
        ingestion = load.ingestion(story.places.uploaders[site])
        ingest_files(ingestion, items, study=story.study.code, site=site, on_staged=note)


def _release(load: DemoLoad, story: Story) -> None:
    """Confirm that what was held shows no text, except for recent files, which wait for a visitor to try it."""
    with session_scope(load.database) as session:
        held = read_held(session, story.places.study_id)
    for scan in story.study.scans:
        file_id = held.get(scan.file_name)
        if file_id is not None and not story.is_left_open(scan.acquisition):
            uploader = story.places.uploaders[scan.acquisition.site]
            with session_scope(load.database) as session:
                release_held(
                    session, actor=uploader, blobs=load.blobs, bell=load.bell, file_id=file_id,
                    reason="Lines of the scan itself, no text.",
                )  # fmt: skip


def _batches(acquisitions: Sequence[DemoAcquisition]) -> Iterator[tuple[str, list[DemoAcquisition]]]:
    """What each site took on each day."""

    def key(acquisition: DemoAcquisition) -> tuple[str, date]:
        return acquisition.site, acquisition.acquired_at.date()

    for (site, _), members in groupby(sorted(acquisitions, key=key), key=key):
        yield site, list(members)


def _item(scan: DemoScan, study: str) -> IngestItem:
    """A scan as the site's device would export it, with its row of the manifest."""
    png = io.BytesIO()
    Image.fromarray(render(scan).image).save(png, "PNG", compress_level=1)
    return IngestItem(scan.file_name, png.getvalue(), scan.manifest_row(study))


def _wait_until_scored(load: DemoLoad, story: Story) -> None:
    with session_scope(load.database) as session:
        total = waiting = count_unscored(session, story.places.study_id)
    moved_at = now()
    while waiting:
        load.progress("Scoring", total - waiting, total)
        load.pause()
        with session_scope(load.database) as session:
            left = count_unscored(session, story.places.study_id)
        if left != waiting:
            waiting, moved_at = left, now()
        elif now() - moved_at > PATIENCE:
            raise ServerError(
                f"{waiting} scans of the demo study wait and no worker scores them.",
                remedy="Look at HOME/logs/worker.log, then run `octaudit demo` again: it goes on where it stopped.",
            )
    load.progress("Scoring", total, total)


def _load_samples(load: DemoLoad) -> None:
    """The real sample images as a small study of their own, where they are installed and not loaded yet."""
    if not (SAMPLES_FOLDER / "manifest.csv").is_file():
        return
    with session_scope(load.database) as session:
        if find_demo_study(session, SAMPLES.code) is not None:
            return
        set_up_small_study(session, SAMPLES)
    items = [IngestItem(path.name, path) for path in sorted(SAMPLES_FOLDER.glob("*.png"))]
    ingest_files(
        load.ingestion(PROGRAM), items, study=SAMPLES.code, site=SAMPLES.site,
        manifest=(SAMPLES_FOLDER / "manifest.csv").read_bytes(),
    )  # fmt: skip


def _load_lanes(load: DemoLoad) -> None:
    """Simulated scans of the other kinds, last: nobody waits until they are scored."""
    with session_scope(load.database) as session:
        if find_demo_study(session, LANES.code) is not None:
            return
        set_up_small_study(session, LANES)
    send_lanes(load.ingestion(PROGRAM))
