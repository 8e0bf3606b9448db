"""`octaudit report`: makes a report as PDF from the database of this machine. Thin; core.reports makes it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from core.storage import BlobStore

_OUT = click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The PDF to write; replaced if there."
)
_STUDY = click.option("--study", required=True, help="Code of the study.")
_WEEKS = click.option(
    "--weeks", default=26, show_default=True, type=click.IntRange(1, 520),
    help="Period: so many whole weeks, the present one included.",
)  # fmt: skip


@click.group(name="report")
def command() -> None:
    """Make a report as PDF: a site's card, a study's quality report, a batch's receipt or a tip sheet.

    Each is also kept in the database, with its hash and an audit event. Progress goes to stderr.

    Example: octaudit report site --study MYSTUDY --site S1 --out card.pdf
    """


@command.command()
@_STUDY
@click.option("--site", required=True, help="Code of the site.")
@_WEEKS
@_OUT
def site(*, study: str, site: str, weeks: int, out: Path) -> None:
    """One page about a site: rates against the study, causes with their cure, open work.

    Example: octaudit report site --study MYSTUDY --site S1 --weeks 13 --out card.pdf
    """
    from core.store.batch import find_site

    def make(session: "Session", blobs: "BlobStore") -> tuple[int, bytes]:
        place = find_site(session, study=study, site=site)
        return _make_now(session, blobs, study_id=place.study_id, site_id=place.site_id, weeks=weeks)

    _write(out, make)


@command.command()
@_STUDY
@_WEEKS
@_OUT
def study(*, study: str, weeks: int, out: Path) -> None:
    """Several pages about a study: the manager's charts, each with its unit and moment.

    Example: octaudit report study --study MYSTUDY --out quality.pdf
    """
    from core.store.report_facts import find_study

    def make(session: "Session", blobs: "BlobStore") -> tuple[int, bytes]:
        return _make_now(session, blobs, study_id=find_study(session, study).id, site_id=None, weeks=weeks)

    _write(out, make)


@command.command()
@click.argument("receipt")
@_OUT
def receipt(*, receipt: str, out: Path) -> None:
    """The receipt of a batch, by the code that its uploader was given; it names the files.

    Example: octaudit report receipt R-7K2M9Q --out receipt.pdf
    """
    from core.reports.make_report import make_receipt
    from core.store.access import PROGRAM
    from core.store.batch import find_batch

    def make(session: "Session", blobs: "BlobStore") -> tuple[int, bytes]:
        row, pdf = make_receipt(session, blobs, find_batch(session, receipt), actor=PROGRAM)
        return row.id, pdf

    _write(out, make)


@command.command()
@_STUDY
@click.option("--reason", required=True, help="Code of the cause, e.g. oscar-mp:M.")
@_OUT
def tips(*, study: str, reason: str, out: Path) -> None:
    """One page about one cause of failure: what it is, what it looks like, what to do.

    Example: octaudit report tips --study MYSTUDY --reason oscar-mp:M --out motion.pdf
    """
    from core.errors import UsageError
    from core.reports.make_report import make_tip_sheet
    from core.store.access import PROGRAM
    from core.store.report_facts import find_study
    from core.vocabulary import ReasonCode

    if reason not in list(ReasonCode):
        raise UsageError(f"There is no cause {reason!r}.", remedy=f"Choose one of {', '.join(ReasonCode)}.")

    def make(session: "Session", blobs: "BlobStore") -> tuple[int, bytes]:
        found = find_study(session, study)
        row, pdf = make_tip_sheet(session, blobs, found.id, ReasonCode(reason), actor=PROGRAM)
        return row.id, pdf

    _write(out, make)


def _make_now(
    session: "Session", blobs: "BlobStore", *, study_id: int, site_id: int | None, weeks: int
) -> tuple[int, bytes]:
    from core.clock import now
    from core.reports.make_report import make_now
    from core.reports.scope import Scope
    from core.store.access import PROGRAM
    from core.usecases.find_flags import standing_weeks
    from core.vocabulary import ReportKind

    since, until = standing_weeks(now().date(), weeks)
    scope = Scope(study_id, site_id, since, until)
    kind = ReportKind.STUDY if site_id is None else ReportKind.SITE
    return make_now(session, blobs, kind, scope, actor=PROGRAM)


def _write(out: Path, make: "Callable[[Session, BlobStore], tuple[int, bytes]]") -> None:
    from core.database.roles import DatabaseRole
    from core.database.session import open_database, session_scope
    from core.errors import UsageError
    from core.settings import load_settings
    from core.storage import open_blob_store

    if not out.parent.is_dir():
        raise UsageError(f"There is no folder {out.parent}.", remedy="Make it, or name another place.")
    settings = load_settings()
    with open_database(settings, DatabaseRole.OWNER) as database, session_scope(database) as session:
        report_id, pdf = make(session, open_blob_store(settings))
    out.write_bytes(pdf)
    click.echo(f"Report {report_id} written to {out}.")
