"""`octaudit backup-key`: a key pair for encrypted backups."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Where the secret key goes."
)
def command(*, out: Path) -> None:
    """Make a key pair for `octaudit backup --encrypt-to`: the secret key in FILE, the public key on the screen.

    Make it where restorations are made, not where octaudit runs: that machine needs the public key alone, and cannot
    read its own backups. Whoever loses FILE cannot read them either. The format is age's, so a key of `age-keygen`
    does as well.

    \b
    Example:
      octaudit backup-key --out /media/safe/octaudit-backup.key
    """
    from core.usecases.sealed_file import make_identity

    click.echo(make_identity(out))
    click.echo(f"The secret key is in {out}. Keep a copy of it apart from the backups.", err=True)
