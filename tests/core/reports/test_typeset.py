"""Setting a document: what people typed stays text, in whatever script, and a fault in a template is not silent."""

import tomllib
from datetime import UTC, datetime
from importlib.resources import files
from io import BytesIO

import pytest
from pypdf import PdfReader

from core.charts import print_theme
from core.reports.typeset import Document, typeset

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def receipt(name: str, file: str = "a.png") -> Document:
    heads = [{"title": "File", "align": "left", "width": "1fr"}]
    content = {
        "name": name, "below": "", "submitted": "today", "as_of": "now", "tiles": [], "notes": "",
        "files": {"heads": heads, "rows": [[file]]},
    }  # fmt: skip
    return Document("receipt", "Receipt", name, content)


def text_of(document: Document) -> str:
    reader = PdfReader(BytesIO(typeset(document, made_at=NOON).pdf))
    return " ".join(" ".join(page.extract_text().split()) for page in reader.pages)


@pytest.mark.parametrize("name", ["Глазная клиника Ёлка", "Οφθαλμολογική Κλινική", "Ośrodek Wzroku Łódź", "Mắt Việt"])
def test_names_in_latin_greek_and_cyrillic_can_be_read_out(name: str) -> None:
    assert name in text_of(receipt(name))


@pytest.mark.parametrize(
    "typed", ["#set page(fill: red)", "*bold* _it_ $x^2$ `raw`", '#read("/etc/passwd")', "<b>&amp;</b> \\ @cite", "[x]"]
)
def test_what_a_person_typed_stays_text(typed: str) -> None:
    read = text_of(receipt("Clinic", typed))
    assert plain(typed) in plain(read)


def plain(text: str) -> str:
    """Without spaces and quotation marks, which a page sets in its own way."""
    return "".join(letter for letter in text if letter not in " \"'\u2018\u2019\u201c\u201d")


def test_a_long_name_without_spaces_stays_in_its_column() -> None:
    name = "a" * 300 + ".png"
    reader = PdfReader(BytesIO(typeset(receipt("Clinic", name), made_at=NOON).pdf))
    lines = [line for line in reader.pages[0].extract_text().splitlines() if line.startswith("aaaa")]
    assert len(lines) > 1, "broken over several lines"


def test_a_long_list_of_files_runs_over_pages_with_its_heads_on_each() -> None:
    document = receipt("Clinic")
    document.content["files"]["rows"] = [[f"scan-{n:04d}.png"] for n in range(150)]
    done = typeset(document, made_at=NOON)
    reader = PdfReader(BytesIO(done.pdf))
    assert len(reader.pages) == done.n_pages > 1
    assert all("File" in page.extract_text() for page in reader.pages)


def test_series_have_the_colours_of_the_light_pages() -> None:
    config = tomllib.loads((files("dashboard") / ".streamlit" / "config.toml").read_text("utf-8"))
    light = config["theme"]["light"]
    assert list(print_theme.SERIES) == light["chartCategoricalColors"]
    assert light["primaryColor"] == print_theme.BRAND
    assert print_theme.TONES["bad"] == (light["redTextColor"], light["redBackgroundColor"])


def test_reports_carry_the_mark_of_the_pages() -> None:
    own = (files("core.reports") / "templates" / "mark.svg").read_bytes()
    assert own == (files("dashboard") / "brand" / "mark.svg").read_bytes()
