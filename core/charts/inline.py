"""Rows that a chart carries with it, shared by its layers as they are."""

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

    def to_dict(self, *_: Any, **__: Any) -> dict[str, Any]:
        """The data as Vega-Lite has it; whether it keeps the schema is asked of the chart as a whole."""
        return dict(self._kwds)


def inline(rows: Sequence[Mapping[str, object]]) -> InlineRows:
    """The data of a chart from its rows."""
    return InlineRows(values=list(rows))
