"""`octaudit rates`: compares the counts behind the rates with the raw rows, or counts those again."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from core.store.rate_audit import WrongCount

_SHOWN = 20


@click.group(name="rates")
def command() -> None:
    """Check the counts behind the rates, or rebuild them.

    Example: octaudit rates verify
    """


@command.command()
def verify() -> int:
    """Compare every count with the raw rows; exit 1 where one differs.

    Example: octaudit rates verify
    """
    from rich.console import Console

    from core.database.roles import DatabaseRole
    from core.database.session import open_database
    from core.errors import ExitCode
    from core.settings import load_settings
    from core.usecases.check_rates import verify_rates

    with open_database(load_settings(), DatabaseRole.WORKER) as database:
        wrong = verify_rates(database)
    if not wrong:
        click.echo("Every count agrees with the raw rows.")
        return int(ExitCode.DONE)
    Console(stderr=True).print(_table(wrong))
    click.echo(f"{len(wrong)} counts differ from the raw rows. Run `octaudit rates rebuild`.", err=True)
    return int(ExitCode.OUR_FAULT)


@command.command()
def rebuild() -> None:
    """Throw the counts away and count the raw rows again; uploads and scoring wait meanwhile.

    Example: octaudit rates rebuild
    """
    from core.database.roles import DatabaseRole
    from core.database.session import open_database
    from core.settings import load_settings
    from core.usecases.check_rates import rebuild_rates

    with open_database(load_settings(), DatabaseRole.WORKER) as database:
        n_written = rebuild_rates(database)
    click.echo(f"Counted again: {n_written} counts written.")


def _table(wrong: "list[WrongCount]") -> "Table":
    from rich.table import Table

    table = Table("site", "device", "technician", "scan type", "week", "measure", "counted", "true")
    for count in wrong[:_SHOWN]:
        key = count.key
        measure = f"{key.measure}, sum by {count.grain}" if count.grain else key.measure.value
        cells = (key.site_id, key.device_id, key.technician_id, key.scan_type, key.week_on, measure)
        table.add_row(*(str(cell) for cell in (*cells, count.counted, count.true)))
    return table
