"""What the documentation promises is what the program has: settings, commands, roles, decisions."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from core.cli import main
from core.scoring.card import ModelCard
from core.settings import Settings
from core.vocabulary import Role

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def table_rows(page: Path) -> dict[str, str]:
    """First cell (without backquotes) and the rest of each table row of a page."""
    rows = re.findall(r"^\| `([^`]+)` \|(.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(rows)


def test_the_settings_page_lists_every_setting_and_no_other():
    variables = {f"OCTAUDIT_{name.upper()}" for name in Settings.model_fields}
    assert set(table_rows(DOCS / "settings.md")) == variables


def commands(group: click.Group = main, path: str = "octaudit") -> dict[str, click.Command]:
    """Every command of the program by its full name, groups included."""
    context = click.Context(group, info_name=path)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found[f"{path} {name}"] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
    return found


@pytest.mark.parametrize("name", commands())
def test_the_help_of_every_command_has_an_example(name: str):
    command = commands()[name]
    text = command.get_help(click.Context(command, info_name=name))
    assert "Example" in text
    assert name in text.split("Example", 1)[1]


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_says_what_it_does(name: str):
    command = commands()[name]
    assert command.get_short_help_str()
    silent = [option.opts[0] for option in command.params if isinstance(option, click.Option) and not option.help]
    assert silent == []


def test_settings_commands_and_the_models_figures_are_what_the_program_and_the_cards_say():
    done = subprocess.run(
        [sys.executable, ".ci/write_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_no_figure_of_a_model_is_typed_by_hand():
    """Outside the blocks that `make docs` writes, no page gives a Dice, kappa or area under a curve as a decimal."""
    written = re.compile(r"<!-- written by `make docs` -->.*?<!-- end -->", re.DOTALL)
    typed = re.compile(r"(?i)\b(?:dice|kappa|auc)\b[^.|\n]{0,30}?\b(?:0\.\d|\d+ ?%)")
    pages = [ROOT / "README.md", DOCS / "models.md", DOCS / "training.md"]
    found = {page.name: typed.findall(written.sub("", page.read_text(encoding="utf-8"))) for page in pages}
    assert found == {page.name: [] for page in pages}


def test_the_readme_gives_the_cards_own_figures():
    card = ModelCard.beside(ROOT / "core" / "weights" / "octa-enface.safetensors")
    dice = next(m for m in card.metrics if m.name == "FAZ Dice" and m.set.startswith("faz_coips superficial 3 mm,"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{dice.value:.3f} ({dice.low:.3f} to {dice.high:.3f}) | {dice.n_images} |" in readme


def test_the_roles_page_has_a_row_for_every_role():
    assert set(table_rows(DOCS / "roles.md")) == {role.value for role in Role}


def test_every_link_between_the_pages_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)} -> {link}"
        for page in pages
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_every_decision_is_in_the_index():
    index = (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in (DOCS / "adr").glob("[0-9]*.md") if page.name not in index] == []


def test_a_decision_says_what_was_decided_and_what_follows():
    headings = {"## Context", "## Decision", "## Consequences", "## Alternatives"}
    for page in (DOCS / "adr").glob("[0-9]*.md"):
        missing = headings - set(page.read_text(encoding="utf-8").splitlines())
        assert not missing, f"{page.name} lacks {missing}"
