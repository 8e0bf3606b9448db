"""A table as markup that scrolls by itself and by the keyboard, from cells that are made already."""

from collections.abc import Collection, Sequence

from dashboard.components.markup import Html, tag


def plain_table(heads: Sequence[str], rows: Sequence[Html], label: str, numbers: Collection[int] = ()) -> Html:
    """The rows under their headings; ``numbers`` are the columns that stand to the right, ``label`` names it aloud."""
    head = [tag("th", words, scope="col", class_="num" if at in numbers else None) for at, words in enumerate(heads)]
    return tag(
        "div", tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows)), class_="scroll", tabindex="0",
        role="region", aria_label=label,
    )  # fmt: skip
