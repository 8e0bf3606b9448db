"""The `octaudit` command: finds its subcommands lazily and answers every error in one sentence. Holds no feature."""

import importlib
import logging
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Never

import click

import core.commands
from core.clock import now
from core.errors import ExitCode, OctauditError
from core.settings import load_settings

DEBUG_FLAG = "--debug"


class LazyGroup(click.Group):
    """A group whose subcommands are the modules of core.commands, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, sorted; reads the folder, imports nothing."""
        found = (module.name.replace("_", "-") for module in pkgutil.iter_modules(core.commands.__path__))
        return sorted({*found, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's module and return its ``command``; None where there is no such command."""
        registered = super().get_command(ctx, cmd_name)
        if registered is not None or cmd_name not in self.list_commands(ctx):
            return registered
        module = importlib.import_module(f"core.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def main(  # type: ignore[override]  # the exits are ours in both modes, so nothing is returned
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Never:
        """Run the command line and exit with the code that contracts.md promises."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra.pop("standalone_mode", None)
        is_debug = DEBUG_FLAG in arguments
        try:
            code = super().main(arguments, prog_name or "octaudit", standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            _say("Stopped.")
            sys.exit(ExitCode.OUR_FAULT)
        except OctauditError as error:
            if is_debug:
                traceback.print_exc()
            _say(str(error))
            sys.exit(error.exit_code)
        except Exception as error:  # noqa: BLE001 - the last door: whatever it was, the user gets one sentence
            if is_debug:
                traceback.print_exc()
            _say(_unexpected(error))
            sys.exit(ExitCode.OUR_FAULT)
        sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def _say(sentence: str) -> None:
    """Print one sentence on stderr."""
    click.echo(f"octaudit: {sentence}", err=True)


def _unexpected(error: Exception) -> str:
    """One sentence about a fault of ours, with the place where its traceback was written."""
    place = _write_traceback()
    where = f"The details are in {place}." if place else f"Run it again with {DEBUG_FLAG} to see where."
    return f"unexpected {type(error).__name__}: {error}. {where}"


def _write_traceback() -> Path | None:
    """Append the current traceback to HOME/logs/octaudit.log; None where that cannot be written."""
    try:
        folder = load_settings().home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / "octaudit.log"
        with place.open("a", encoding="utf-8") as log:
            log.write(f"{now().isoformat()}\n{traceback.format_exc()}\n")
    except (OSError, ValueError):  # no such folder can be made, or the settings themselves are wrong
        return None
    return place


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("octaudit"), prog_name="octaudit")
@click.option(DEBUG_FLAG, is_flag=True, help="Show the traceback of an error and log more.")
def main(*, debug: bool) -> None:
    """Audit the quality of retinal OCT and OCTA scans from many sites.

    \b
    Example:
      octaudit up            start everything on this machine
      octaudit score scans/ --out results/
    """
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("PIL").setLevel(logging.INFO)  # its debug lines name every chunk of every image


if __name__ == "__main__":
    main()
