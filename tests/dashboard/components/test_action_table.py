"""The download of actions has a row per action with every column that its dictionary explains."""

from dataclasses import replace
from datetime import UTC, date, datetime

from core.charts.dictionaries import ACTION_COLUMNS
from core.store.action import ActionRow
from core.store.unit import UnitKind
from core.vocabulary import ActionKind, ActionState
from dashboard.components.action_table import action_rows
from dashboard.components.chart_data import ChartData

OPENED_AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
OPEN = ActionRow(
    1, 1, "ST", 2, "S02", ActionKind.ISSUE, UnitKind.SITE, "2", "S02", None, "=Clean the lens", "Anna", date(2026, 11, 20),
    ActionState.OPEN, "Mia", OPENED_AT, None, "",
)  # fmt: skip


def test_a_row_says_everything_and_whether_it_is_overdue() -> None:
    closed = replace(OPEN, id=2, state=ActionState.DONE, closed_at=OPENED_AT, closing="done")
    rows = action_rows([OPEN, closed], date(2026, 11, 21))
    assert all(list(row) == list(ACTION_COLUMNS) for row in rows)
    assert [row["is_overdue"] for row in rows] == [True, False]
    assert [row["closing"] for row in rows] == ["", "done"]


def test_what_a_spreadsheet_would_run_is_harmless_in_the_file() -> None:
    text = ChartData("actions", action_rows([OPEN], date(2026, 11, 21)), ACTION_COLUMNS).csv()
    assert ",=Clean" not in text
    assert "=Clean the lens" in text
