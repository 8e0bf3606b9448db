"""The poster's Table 1 with our rows beside it, for a terminal."""

from rich.table import Table

from core.training.evaluation.figures import interval_text
from core.training.onh.evaluate import OnhEvaluation


def table_1(found: OnhEvaluation) -> Table:
    """F1 by grouping of the grades: the published rows, then ours; rest: groupings that the poster does not print."""
    table = Table("grades", "system", "published F1", "this model (95 % interval)", title="Table 1 and ours")
    for row in sorted(found.table, key=lambda row: _place(found, row.grouping)):
        published = "" if row.published is None else f"{row.published:.2%}"
        table.add_row(row.grouping, row.system, published, "" if row.ours is None else interval_text(row.ours))
    return table


def _place(found: OnhEvaluation, grouping: str) -> int:
    """Groupings in the order in which they first come, so that ours stand below the published of the same."""
    return [row.grouping for row in found.table].index(grouping)
