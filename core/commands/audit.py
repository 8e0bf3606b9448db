"""`octaudit audit`: checks the chain over the audit trail against its key and anchor."""

import click


@click.group(name="audit")
def command() -> None:
    """Check the audit trail.

    Example: octaudit audit verify
    """


@command.command()
@click.option("--head", "heads", multiple=True, metavar="COUNT:HASH", help="A head from a report or backup to compare.")
def verify(*, heads: tuple[str, ...]) -> int:
    """Recompute the chain and compare it with the anchor; exit 1 where an event was changed, removed or put in.

    Needs the files OCTAUDIT_AUDIT_KEY_FILE and OCTAUDIT_AUDIT_ANCHOR_FILE. The result is kept for the page Audit.

    \b
    Example:
      octaudit audit verify
      octaudit audit verify --head 1234:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    """
    from core.database.roles import DatabaseRole
    from core.database.session import open_database
    from core.errors import ExitCode
    from core.settings import load_settings
    from core.store.audit_anchor import AuditHead
    from core.usecases.verify_audit import check_audit

    settings = load_settings()
    expected = [AuditHead.of_words(words) for words in heads]
    with open_database(settings, DatabaseRole.SEALER) as database:
        check = check_audit(database, settings, expected=expected)
    for fault in check.faults:
        click.echo(fault, err=True)
    click.echo(f"{check.n_sealed} events are sealed; the anchor's newest head is at {check.n_anchored}.")
    if check.faults:
        return int(ExitCode.OUR_FAULT)
    click.echo("Every sealed event is as it was written.")
    return int(ExitCode.DONE)
