"""`octaudit demo`: the demo study, loaded and scored, with a progress bar and the logins at the end."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.usecases.demo_people import DemoLogin


@click.command()
def command() -> None:
    """Load the demo study and wait until it is scored.

    Six simulated sites and twelve devices over 26 weeks, and six real sample scans, go through the same intake as
    your own. Loads into a running installation; where none runs, everything it needs is started for as long as it
    takes. Running it twice is harmless.

    \b
    Example:
      octaudit demo
    """
    from core.usecases.keep_running import working_installation

    settings = load_settings()
    with working_installation(settings, announce=lambda sentence: click.echo(sentence, err=True)) as tend:
        logins = _load(settings, tend)
    _print_logins(logins)


def _load(settings: Settings, tend: Callable[[], None]) -> "tuple[DemoLogin, ...]":
    from core.broker import open_bell
    from core.database.roles import DatabaseRole
    from core.database.session import open_database
    from core.storage import open_blob_store
    from core.usecases.load_demo_study import DemoLoad, load_demo_study

    with open_database(settings, DatabaseRole.OWNER) as database, _progress_bar() as show:
        return load_demo_study(
            DemoLoad(database, open_blob_store(settings), open_bell(settings), settings, progress=show, pause=tend)
        )


@contextmanager
def _progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar per kind of work on stderr, none where that is no terminal; yields what moves it on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        current: list[tuple[str, int, object]] = []

        def show(what: str, done: int, total: int) -> None:
            if not total:
                return
            if not current or current[-1][:2] != (what, total):
                current.append((what, total, bar.add_task(what, total=total)))
            bar.update(current[-1][2], completed=done)  # type: ignore[arg-type]  # rich's own id, kept as it came

        yield show


def _print_logins(logins: "Sequence[DemoLogin]") -> None:
    """The demo's logins as a table, or one sentence where all were there before."""
    new = [login for login in logins if login.password is not None]
    if not new:
        click.echo("The demo study is there; its logins were shown when it was first loaded (`octaudit user reset`).")
        return
    click.echo("\nDemo logins (shown once):")
    for login in new:
        click.echo(f"  {login.name:<12} {login.password:<28} {login.role.replace('_', ' ')}, {login.where}")
