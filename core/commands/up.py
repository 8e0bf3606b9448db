"""`octaudit up`: everything on this machine, in the foreground, until Ctrl-C."""

import sys

import click

from core.errors import ExitCode
from core.settings import Settings, load_settings

DEMO = (sys.executable, "-m", "core.cli", "demo")


@click.command()
@click.option("--demo", is_flag=True, help="Load the demo study once everything runs (harmless when it is there).")
@click.option("--host", help="Address the dashboard listens on. [default: OCTAUDIT_DASHBOARD_HOST]")
@click.option("--port", type=click.IntRange(1, 65535), help="First port to try. [default: OCTAUDIT_DASHBOARD_PORT]")
@click.option("--verbose", is_flag=True, help="Print what every process writes to its log.")
def command(*, demo: bool, host: str | None, port: int | None, verbose: bool) -> None:
    """Start everything on this machine and stay in the foreground.

    Starts the database, the broker, one worker, the keeper and the dashboard, prints the address, and keeps all of
    them running. Ctrl-C stops them in order. Logs are in OCTAUDIT_HOME/logs.

    \b
    Example:
      octaudit up
      octaudit up --demo --port 8600
    """
    from core.usecases.keep_running import Occasions, Reach, keep_running

    given = {"dashboard_host": host, "dashboard_port": port}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})

    def greet(reach: Reach) -> None:
        _greet(settings, reach.url)
        click.echo("Loading the demo study." if demo else "Ctrl-C stops everything.")

    def say_demo_is_there(reach: Reach, exit_code: int) -> None:
        if exit_code != ExitCode.DONE:
            click.echo("The demo study could not be loaded; everything else runs on.", err=True)
        click.echo(f"\noctaudit is running at {reach.url}\nCtrl-C stops everything.")

    click.echo(f"Starting octaudit in {settings.home}.")
    keep_running(
        settings,
        Occasions(greet, DEMO if demo else None, say_demo_is_there),
        announce=lambda sentence: click.echo(sentence, err=True),
        echo=(lambda name, line: click.echo(f"{name} | {line}", err=True)) if verbose else None,
    )


def _greet(settings: Settings, url: str) -> None:
    """Print the address and, the first time, a login."""
    from core.usecases.create_first_login import create_first_login

    click.echo(f"octaudit is running at {url}")
    login = create_first_login(settings)
    if login is not None:
        click.echo(f"First login: {login.name}   password: {login.password}   (shown once; to be changed on first use)")
