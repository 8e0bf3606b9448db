"""The page Upload: the table of a draft says in red which of its cells stop a file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from builders import MONDAY
from stopped_clock import stop_clock
from streamlit.testing.v1 import AppTest
from uploads import Clinic, make_clinic, phantom, png

from core.database.session import Database
from core.settings import Settings
from dashboard.installation import Installation


@pytest.fixture
def clinic(
    owner_database: Database, dashboard_database: Database, installation: Installation, tmp_path: Path
) -> Clinic:
    settings: Settings = installation.settings
    return make_clinic(owner_database, dashboard_database, settings, tmp_path)


def test_each_row_names_its_cells_to_correct_in_red_and_a_sound_row_none(
    clinic: Clinic, app_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_clock(monkeypatch, MONDAY)
    batch = clinic.open()
    clinic.stage_row(batch, "good.png", png(phantom(1)))
    clinic.stage_row(batch, "bad.png", png(phantom(2)), eye="OU", device="unknown device", acquisition="A2")
    page = app_page(clinic.token, "pages/upload.py", batch=batch)
    assert not page.exception
    (table,) = page.dataframe
    assert list(table.value.columns[:2]) == ["file", "to_correct"]
    told = dict(zip(table.value["file"], table.value["to_correct"], strict=True))
    assert told["good.png"] == ""
    assert set(told["bad.png"].split(", ")) == {"Eye", "Device"}
    styles = table.proto.arrow_data.styler.styles
    assert "background-color: rgba(214, 64, 52" in styles
    reds = [cell for rule in styles.split("}") if "background-color" in rule for cell in rule.split("{")[0].split(",")]
    assert len(reds) == 2, "the name and the list of the faulty row alone"
