"""Write what the documentation takes from the program and the model cards; with --check say what is out of date."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import click
from model_figures import bundled_card, first_figures, model_page
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from core.cli import main as octaudit
from core.settings import Settings
from core.usecases.measure_pages import browsing_table, browsing_words, counting_words, pages_table, summary
from core.usecases.measure_volume import VolumeFigures, volume_table
from core.usecases.prove_statistics import tables

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- written by `make docs` -->", "<!-- end -->"


def default_text(field: FieldInfo) -> str:
    """A setting's default as one would write it in the environment; "unset" where it is computed or absent."""
    default = field.default
    if default is None or default is PydanticUndefined:
        return "unset"
    if hasattr(default, "total_seconds"):
        return f"`{str(default).zfill(len('00:00:00'))}`"
    if isinstance(default, tuple):
        return "`[" + ", ".join(f'"{value}"' for value in default) + "]`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def settings_table() -> str:
    """A row per setting: variable, default, meaning."""
    rows = [
        f"| `OCTAUDIT_{name.upper()}` | {default_text(field)} | {' '.join((field.description or '').split())} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def command_sections(group: click.Group, path: str = "octaudit") -> list[str]:
    """A section per command with its help, groups before their members."""
    sections = []
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        full_name = f"{path} {name}"
        help_context = click.Context(command, info_name=full_name, terminal_width=100, max_content_width=100)
        lines = [line.rstrip() for line in command.get_help(help_context).splitlines()]
        sections.append("\n".join([f"## `{full_name}`", "", "```text", *lines, "```"]))
        if isinstance(command, click.Group):
            sections += command_sections(command, full_name)
    return sections


def with_written_part(page: str, part: str) -> str:
    """The page with the text between its two markers replaced."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{part}\n\n{END}", page)


def with_tables(page: str, named: Mapping[str, str]) -> str:
    """The page with each table between its own two markers replaced."""
    for name, table in named.items():
        pattern = re.compile(f"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end of table -->)", re.DOTALL)
        page = pattern.sub(lambda found, new=table: f"{found[1]}{new}\n{found[2]}", page)
    return page


def written_pages() -> dict[str, str]:
    """Every page that takes something from the program, as it should read."""
    card = bundled_card()
    parts = {
        "README.md": first_figures(card),
        "docs/models.md": model_page(card),
        "docs/settings.md": settings_table(),
        "docs/commands.md": "\n\n".join(command_sections(octaudit)),
    }
    pages = {name: with_written_part((ROOT / name).read_text(encoding="utf-8"), part) for name, part in parts.items()}
    proof = json.loads((ROOT / "docs" / "figures" / "statistics.json").read_text(encoding="utf-8"))
    with_figures = {"docs/statistics.md": tables(proof), "docs/speed.md": speed_tables()}
    filled = {
        name: with_tables((ROOT / name).read_text(encoding="utf-8"), figures) for name, figures in with_figures.items()
    }
    return {**pages, **filled}


def speed_tables() -> dict[str, str]:
    """The tables of docs/speed.md from the records of the benchmarks."""
    records = {
        name: json.loads((ROOT / "docs" / "figures" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("pages", "counting", "browsing", "volume")
    }
    return {
        "summary": summary(records["pages"]),
        "pages": pages_table(records["pages"]),
        "counting": counting_words(records["counting"]),
        "browsing summary": browsing_words(records["browsing"]),
        "browsing": browsing_table(records["browsing"]),
        "volume": volume_table(VolumeFigures.model_validate(records["volume"])),
    }


def main() -> int:
    """Write the pages, or with --check name those that differ (exit 1)."""
    is_check = "--check" in sys.argv[1:]
    stale = []
    for name, new in written_pages().items():
        old = (ROOT / name).read_text(encoding="utf-8")
        if new != old:
            stale.append(name)
            if not is_check:
                (ROOT / name).write_text(new, encoding="utf-8")
    if stale and is_check:
        print(f"Out of date: {', '.join(stale)}. Write them anew with `make docs`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
