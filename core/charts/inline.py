"""Charts of rows that they carry with them, put together without copying: rows, marks and axes are made once."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt


class InlineRows(alt.InlineData):
    """Altair's inline data, never copied and never searched for nested marks: rows are plain values.

    Altair copies a chart several times while layers are put together, and with each copy every value of every row. A
    chart's rows are made for it and nobody changes them, so all copies share them.
    """

    def __deepcopy__(self, _: object = None) -> "InlineRows":
        return self

    def __repr__(self) -> str:
        """Short: altair names a view of a layered chart after all that it prints, and would print every row."""
        return f"InlineRows(of {len(self._kwds['values'])})"

    def to_dict(self, *_: Any, **__: Any) -> dict[str, Any]:
        """The data as Vega-Lite has it; whether it keeps the schema is asked of the chart as a whole."""
        return dict(self._kwds)


class RowsChart(alt.Chart):
    """Altair's chart, of which a copy has its own parts but shares what they are made of.

    Putting layers together copies each of them four times, and tooltips have many small parts. Altair sets whole parts
    of a copy (its data, its parameters) and changes none in place.
    """

    def __deepcopy__(self, _: object = None) -> "RowsChart":
        return self.copy(deep=False)


def inline(rows: Sequence[Mapping[str, object]]) -> InlineRows:
    """The data of a chart from its rows."""
    return InlineRows(values=list(rows))


def chart_of(rows: Sequence[Mapping[str, object]]) -> RowsChart:
    """A chart of these rows, without a mark yet.

    Give its encodings as channels (``alt.X("rate:Q")``), never as mere strings: of a string altair compares hundreds
    of schemas to learn which channel is meant, 2.5 ms each.
    """
    return RowsChart(inline(rows))
