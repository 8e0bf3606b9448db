"""`octaudit doctor`: looks the installation over and says what is wrong and how to cure it."""

import click


@click.command()
def command() -> int:
    """Check settings, servers, database roles, schema, disk, weights and audit trail; exit 1 where one is at fault.

    \b
    Example:
      octaudit doctor
    """
    from core.errors import ExitCode
    from core.settings import load_settings
    from core.usecases.check_installation import check_installation

    n_faults = 0
    for finding in check_installation(load_settings()):
        is_well = not finding.fault
        n_faults += not is_well
        mark = click.style("ok   ", fg="green") if is_well else click.style("FAULT", fg="red", bold=True)
        click.echo(f"{mark}  {finding.part:<22}  {finding.detail if is_well else f'{finding.fault} {finding.remedy}'}")
    return int(ExitCode.OUR_FAULT if n_faults else ExitCode.DONE)
