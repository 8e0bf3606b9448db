"""`octaudit audit`: checks the chain over the audit trail against its key and anchor."""

import click


@click.group(name="audit")
def command() -> None:
    """Check the audit trail.

    Example: octaudit audit verify
    """


@command.command()
def verify() -> int:
    """Recompute the chain and compare it with the anchor; exit 1 where an event was changed, removed or put in.

    Needs the files OCTAUDIT_AUDIT_KEY_FILE and OCTAUDIT_AUDIT_ANCHOR_FILE.

    Example: octaudit audit verify
    """
    from core.database.roles import DatabaseRole
    from core.database.session import open_database
    from core.errors import ExitCode
    from core.settings import load_settings
    from core.usecases.seal_audit import verify_audit

    settings = load_settings()
    with open_database(settings, DatabaseRole.SEALER) as database:
        check = verify_audit(database, settings)
    for fault in check.faults:
        click.echo(fault, err=True)
    click.echo(f"{check.n_sealed} events are sealed; the anchor's newest head is at {check.n_anchored}.")
    if check.faults:
        return int(ExitCode.OUR_FAULT)
    click.echo("Every sealed event is as it was written.")
    return int(ExitCode.DONE)
