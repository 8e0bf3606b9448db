"""`octaudit report` writes the PDFs it is named after and says in one sentence what it cannot do."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from builders import make_batch, make_scan, make_site
from click.testing import Result
from pypdf import PdfReader
from sqlalchemy import select

from core.database.session import Database, session_scope
from core.database.tables import Report, Site, Study
from core.settings import Settings
from core.storage import open_blob_store

Command = Callable[..., Result]


def text_of(path: Path) -> str:
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(path.read_bytes())).pages)


@pytest.fixture
def place(owner_database: Database) -> tuple[str, str, str]:
    """Codes of a study and a site with one scan, and the receipt of its batch."""
    with session_scope(owner_database) as session:
        site = make_site(session)
        make_scan(session, site)
        batch = make_batch(session, site)
        return session.get_one(Study, site.study_id).code, site.code, batch.receipt


def test_every_kind_of_report_is_written_and_kept_with_the_hash_of_the_very_file(
    octaudit: Command, owner_database: Database, settings: Settings, place: tuple[str, str, str], tmp_path: Path
) -> None:
    study, site, receipt = place
    asked = {
        "site": ("--study", study, "--site", site, "--weeks", "13"),
        "study": ("--study", study),
        "receipt": (receipt,),
        "tips": ("--study", study, "--reason", "oscar-mp:M"),
    }
    for kind, arguments in asked.items():
        out = tmp_path / f"{kind}.pdf"
        done = octaudit("report", kind, *arguments, "--out", str(out))
        assert done.exit_code == 0, done.stderr
        assert "written to" in done.stdout
        with session_scope(owner_database) as session:
            row = session.scalars(select(Report).order_by(Report.id.desc()).limit(1)).one()
        assert row.kind == kind
        assert row.pdf_sha256 is not None
        assert open_blob_store(settings).get(row.pdf_sha256) == out.read_bytes()
    assert len(PdfReader(tmp_path / "site.pdf").pages) == 1
    assert site in text_of(tmp_path / "site.pdf")
    assert "Sites compared" in text_of(tmp_path / "study.pdf")
    assert receipt in text_of(tmp_path / "receipt.pdf")
    assert "The eye moved" in text_of(tmp_path / "tips.pdf")


def test_what_is_not_there_is_said_in_one_sentence_with_the_cure(
    octaudit: Command, owner_database: Database, place: tuple[str, str, str], tmp_path: Path
) -> None:
    with session_scope(owner_database) as session:
        assert session.scalars(select(Site.code)).all() == [place[1]]
    wrong = octaudit("report", "site", "--study", place[0], "--site", "NOWHERE", "--out", str(tmp_path / "a.pdf"))
    assert wrong.exit_code == 2
    assert "There is no site 'NOWHERE'" in wrong.stderr
    wrong = octaudit("report", "tips", "--study", place[0], "--reason", "x", "--out", str(tmp_path / "a.pdf"))
    assert wrong.exit_code == 2
    assert "Choose one of oscar-mp:O" in wrong.stderr
    assert list(tmp_path.glob("*.pdf")) == []
