"""The data behind a chart: a download as CSV, and what its columns mean. Draws no chart."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

import streamlit as st

from core.reports.spreadsheet import harmless
from dashboard.filters import url_filters
from dashboard.noted_export import noted

Rows = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class ChartData:
    """What a chart was drawn from. ``dictionary`` explains every column, in the order of the file.

    ``rows``, or what makes them from frozen values: thousands of rows are then only made for who takes them away.
    """

    file_name: str
    rows: Rows | Callable[[], Rows]
    dictionary: Mapping[str, str]

    def lines(self) -> Rows:
        """The rows, made now where they were not yet."""
        return self.rows() if callable(self.rows) else self.rows

    def n_rows(self) -> int:
        """How many there are."""
        return len(self.lines())

    def csv(self) -> str:
        """The rows with a heading; a value that is not there is an empty cell."""
        return _written(list(self.dictionary), self.lines())

    def dictionary_csv(self) -> str:
        """The columns and their meaning."""
        rows = [{"column": name, "meaning": meaning} for name, meaning in self.dictionary.items()]
        return _written(["column", "meaning"], rows)


def draw_chart_data(data: ChartData, *, behind: str = "chart") -> None:
    """A folded panel under a chart or table: what the columns mean, both files to download."""
    with st.expander(f"Data behind the {behind}", icon=":material/table:"):
        with st.container(horizontal=True):
            _download("Data (CSV)", f"{data.file_name}.csv", data.csv, icon="download", n_rows=data.n_rows)
            _download(
                "Data dictionary (CSV)", f"{data.file_name}-dictionary.csv", data.dictionary_csv, icon="menu_book"
            )
        st.markdown("\n".join(f"- **{name}**: {meaning}" for name, meaning in data.dictionary.items()))


def _download(
    label: str, name: str, write: Callable[[], str], *, icon: str, n_rows: Callable[[], int] | None = None
) -> None:
    st.download_button(
        label, noted(name, lambda _: write(), n_rows=n_rows, chosen=url_filters()), file_name=name, mime="text/csv",
        on_click="ignore", key=f"octaudit.download.{name}", icon=f":material/{icon}:",
    )  # fmt: skip


def _written(columns: Sequence[str], rows: Rows) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue()
