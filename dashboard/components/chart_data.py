"""The data behind a chart: a download as CSV, and what its columns mean. Draws no chart."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

import streamlit as st

Rows = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class ChartData:
    """What a chart was drawn from. ``dictionary`` explains every column, in the order of the file."""

    file_name: str
    rows: Rows
    dictionary: Mapping[str, str]

    def csv(self) -> str:
        """The rows with a heading; a value that is not there is an empty cell."""
        return _written(list(self.dictionary), self.rows)

    def dictionary_csv(self) -> str:
        """The columns and their meaning."""
        rows = [{"column": name, "meaning": meaning} for name, meaning in self.dictionary.items()]
        return _written(["column", "meaning"], rows)


def draw_chart_data(data: ChartData, *, behind: str = "chart") -> None:
    """A folded panel under a chart or table: what the columns mean, both files to download."""
    with st.expander(f"Data behind the {behind}", icon=":material/table:"):
        with st.container(horizontal=True):
            st.download_button(
                "Data (CSV)", data.csv(), file_name=f"{data.file_name}.csv", mime="text/csv", on_click="ignore",
                key=f"octaudit.download.{data.file_name}", icon=":material/download:",
            )  # fmt: skip
            st.download_button(
                "Data dictionary (CSV)", data.dictionary_csv(), file_name=f"{data.file_name}-dictionary.csv",
                mime="text/csv", on_click="ignore", key=f"octaudit.dictionary.{data.file_name}",
                icon=":material/menu_book:",
            )  # fmt: skip
        st.markdown("\n".join(f"- **{name}**: {meaning}" for name, meaning in data.dictionary.items()))


def _written(columns: Sequence[str], rows: Rows) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
