"""`octaudit backup`: one file with the database at one moment and every stored file that it names."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Where to write; must not exist yet."
)
@click.option(
    "--encrypt-to", multiple=True, metavar="AGE1...", help="Public key of whoever may read it; repeat it for several."
)
@click.option("--with-keys", is_flag=True, help="Put the keys in, too; whoever has both can forge the audit trail.")
def command(*, out: Path, encrypt_to: tuple[str, ...], with_keys: bool) -> None:
    """Back up a running installation; scoring and uploading go on meanwhile.

    In it: the database, every stored image, mask and map, and the audit chain's anchor. Not in it unless asked for: the
    keys (audit.key, webhook.key ...), and never the settings and the passwords of the database roles. With --encrypt-to
    it is encrypted while it is written (age), and this machine cannot read it; else keep it as you keep the images.

    \b
    Example:
      octaudit backup --out /backup/octaudit-2026-11-22.tar
      octaudit backup --out /backup/octaudit-2026-11-22.tar.age --encrypt-to age1...
    """
    from core.settings import load_settings
    from core.supervision.files_done import files_done
    from core.usecases.back_up import back_up

    with files_done("Copying files") as progress:
        backup = back_up(load_settings(), out, with_keys=with_keys, encrypt_to=encrypt_to, progress=progress)
    manifest = backup.manifest
    counts = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in manifest.counts.items())
    click.echo(f"{out}: {counts}; {manifest.blob_bytes / 1e6:,.1f} MB of files.")
    if manifest.head:
        click.echo(f"Head of the audit chain: {manifest.head}")
    for key in backup.left_out:
        click.echo(f"Not in it: {key}. Keep a copy of it elsewhere.", err=True)
