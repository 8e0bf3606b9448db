"""`octaudit restore`: a backup into a new installation."""

from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="Secret key of an encrypted backup.")
def command(*, file: Path, key: Path | None) -> None:
    """Restore a backup into an installation that nothing was done in yet.

    Without database settings a PostgreSQL is started in OCTAUDIT_HOME for the time being; stop `octaudit up` first. The
    schema is brought up to date, every login is ended, and the restoration is on record in the audit trail. An
    encrypted backup lies decrypted in OCTAUDIT_HOME meanwhile, readable by its owner alone.

    \b
    Example:
      OCTAUDIT_HOME=/srv/octaudit octaudit restore /backup/octaudit-2026-11-22.tar
      OCTAUDIT_HOME=/srv/octaudit octaudit restore octaudit.tar.age --key octaudit-backup.key
    """
    from core.settings import load_settings
    from core.supervision.files_done import files_done
    from core.usecases.restore import restore

    with files_done("Storing files") as progress:
        restored = restore(load_settings(), file, key=key, progress=progress)
    manifest = restored.manifest
    counts = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in manifest.counts.items())
    click.echo(f"Restored what octaudit {manifest.octaudit} had at {manifest.taken_at}: {counts}.")
    if restored.set_aside:
        click.echo(f"The former anchor is kept as {restored.set_aside}; its head is in the audit trail.", err=True)
    for missing in restored.missing_keys:
        click.echo(f"Put {missing} back before you start octaudit: the audit chain needs it.", err=True)
