"""What stands in the two large reports: sentences that are true of the demo study, read back out of the PDF."""

from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO

import pytest
from demo_rows import TODAY, Demo
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.reports.make_report import compose
from core.reports.scope import Scope
from core.reports.typeset import Document, SetDocument, typeset
from core.store.overview import read_overview
from core.store.unit import UnitKind
from core.usecases.find_flags import standing_weeks
from core.usecases.judge_units import compare_units
from core.vocabulary import ReportKind
from core.wording import count, percent

SITE, THIN_SITE = "CEDAR", "ROWAN"


@dataclass(frozen=True)
class Read:
    """A report with its text, page by page."""

    document: Document
    done: SetDocument
    reader: PdfReader
    pages: list[str]

    @property
    def text(self) -> str:
        return " ".join(self.pages)


def scope_of(demo: Demo, site: str | None) -> Scope:
    since, until = standing_weeks(TODAY.date(), 26)
    return Scope(demo.rows.study_id, demo.rows.site_ids[site] if site else None, since, until)


def read_back(demo: Demo, site: str | None) -> Read:
    kind = ReportKind.SITE if site else ReportKind.STUDY
    with open_database(demo.settings, DatabaseRole.WORKER) as database, session_scope(database) as session:
        document = compose(session, kind, scope_of(demo, site), at=TODAY).document
    done = typeset(document, made_at=TODAY, number=12)
    reader = PdfReader(BytesIO(done.pdf))
    return Read(document, done, reader, [" ".join(page.extract_text().split()) for page in reader.pages])


@pytest.fixture(scope="module")
def card(demo: Demo) -> Read:
    return read_back(demo, SITE)


@pytest.fixture(scope="module")
def study(demo: Demo) -> Read:
    return read_back(demo, None)


def test_the_card_is_one_a4_page_even_of_a_site_with_next_to_nothing(demo: Demo, card: Read) -> None:
    thin = read_back(demo, THIN_SITE)
    for read in (card, thin):
        assert len(read.reader.pages) == read.done.n_pages == 1
        assert [round(float(side)) for side in read.reader.pages[0].mediabox[2:]] == [595, 842]
    assert "Too few to judge" in thin.text


def test_the_card_gives_the_rates_of_the_overview_narrowed_to_the_site(demo: Demo, card: Read) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        tally = read_overview(session, scope_of(demo, SITE).chosen, today=TODAY.date()).current
    first = f"{count(tally.gradable)} of {count(tally.decided)} first captures"
    final = f"{count(tally.final_gradable)} of {count(tally.final_received)} expected scans"
    assert first in card.text
    assert final in card.text
    assert percent(tally.gradable / tally.decided).replace("\u202f", " ") in card.text


def test_the_card_of_the_bad_site_says_so_and_names_its_main_cause_with_the_cure(card: Read) -> None:
    assert "above the 99.8 % limit" in card.text
    assert "Motion" in card.text
    assert "switch eye tracking on" in card.text


def test_the_card_names_no_other_site_anywhere_in_the_file(demo: Demo, card: Read) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        names = [site.name for site in read_overview(session, scope_of(demo, None).chosen, today=TODAY.date()).sites
                 if site.code != SITE]  # fmt: skip
    others = [code for code in demo.rows.site_ids if code != SITE]
    content = str(card.document.content)
    assert others
    for name in (*others, *names):
        assert name not in card.text
        assert name not in content, "neither in what is drawn nor in what lies behind it"


def test_a_technician_or_device_with_few_captures_is_not_given_a_rate(demo: Demo) -> None:
    thin = read_back(demo, THIN_SITE)
    for kind in ("devices", "technicians"):
        assert all(row[3] == "too few to judge" and "%" not in row[2] for row in thin.document.content[kind]["rows"])


def test_the_foot_says_which_report_of_which_content_it_is_and_the_page(card: Read) -> None:
    assert f"Report 12 · content {card.done.content_sha256[:16]}" in card.text
    assert "Page 1 of 1" in card.text
    assert "Protocol version 1." in card.text


def test_every_section_of_the_study_report_stands_in_its_contents_with_its_page(study: Read) -> None:
    titles = [section["title"] for section in study.document.content["sections"]]
    assert titles[0] == "Rates by week and by site"
    assert len(titles) == 8
    for title in titles:
        on = [number for number, text in enumerate(study.pages, 1) if number > 1 and title in text]
        assert title in study.pages[0]
        assert on, title
    assert f"Page {len(study.pages)} of {len(study.pages)}" in study.pages[-1]


def test_the_study_report_flags_whom_the_page_flags_and_ranks_nobody_with_too_few(demo: Demo, study: Read) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        comparison = compare_units(session, scope_of(demo, None).of_study, UnitKind.SITE)
    assert [unit.unit.label for unit in comparison.red] == [SITE]
    assert f"Flagged red: {SITE}." in study.text
    rows = study.document.content["sections"][2]["parts"][2]["table"]["rows"]
    assert [row[0]["name"] for row in rows] == [unit.unit.label for unit in comparison.units]
    assert rows[-1][0]["name"] == THIN_SITE
    assert rows[-1][2] == "–"


def test_fonts_are_embedded_text_can_be_read_out_and_title_and_language_are_set(card: Read, study: Read) -> None:
    for read in (card, study):
        assert read.reader.trailer["/Root"]["/Lang"].startswith("en")
        assert read.reader.metadata.title == f"{read.document.title}, {read.document.scope}"
        assert read.reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
        fonts = [font.get_object() for page in read.reader.pages for font in page["/Resources"]["/Font"].values()]
        assert fonts
        assert all(is_embedded(font) for font in fonts)


def is_embedded(font: DictionaryObject) -> bool:
    holder = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
    descriptor = holder["/FontDescriptor"].get_object()
    return bool({"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor))


def test_the_same_data_give_the_same_bytes_and_another_moment_the_same_content(demo: Demo, card: Read) -> None:
    again = read_back(demo, SITE)
    assert again.done.pdf == card.done.pdf
    later = typeset(card.document, made_at=TODAY + timedelta(hours=1), number=13)
    assert later.pdf != card.done.pdf
    assert later.content_sha256 == card.done.content_sha256
