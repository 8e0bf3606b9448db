"""`octaudit phantom`: simulated scans with known truth, to try the program or to test another one."""

import sys
from pathlib import Path

import click

from core.vocabulary import ScanKind


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--count", required=True, type=click.IntRange(1, 100_000), help="How many scans to write.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same files.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in ScanKind]),
    default=ScanKind.OCTA_ENFACE.value,
    show_default=True,
    help="What the scans are pictures of.",
)
@click.option(
    "--size-px",
    default=304,
    show_default=True,
    type=click.IntRange(64, 1024),
    help="Height and width; of a volume the A-scans of each of its 97 B-scans.",
)
@click.option("--study", default="DEMO", show_default=True, help="Study code in the manifest.")
@click.option("--site", default="PHANTOM", show_default=True, help="Site code in the manifest.")
@click.option("--device", default="PHANTOM-1", show_default=True, help="Device code in the manifest.")
@click.option("--technician", default="PHANTOM-T1", show_default=True, help="Technician code in the manifest.")
def command(
    *,
    folder: Path,
    count: int,
    seed: int,
    kind: str,
    size_px: int,
    study: str,
    site: str,
    device: str,
    technician: str,
) -> None:
    """Write COUNT simulated scans to DIR/scans, with their truth and a DIR/manifest.csv for the upload.

    Every one is simulated and shows no person. Masks lie in DIR/masks, the truth in figures in DIR/truth.jsonl. Half
    of the OCTA scans carry artifacts of random strength. Volumes are .vol files of 97 B-scans, 60 MB each, with their
    true layer boundaries in DIR/truth.

    \b
    Example:
      octaudit phantom phantoms/ --count 50 --seed 1
      octaudit score phantoms/scans --out scores/ --manifest phantoms/manifest.csv
      octaudit phantom volumes/ --count 2 --kind volume --size-px 512
    """
    from core.usecases.phantom_writers import PHANTOM_WRITERS
    from core.usecases.write_phantoms import MANIFEST_NAME, PhantomOrder

    order = PhantomOrder(
        folder=folder,
        count=count,
        seed=seed,
        size_px=size_px,
        study=study,
        site=site,
        device=device,
        technician=technician,
    )
    with click.progressbar(
        length=count, label="Rendering", file=sys.stderr, hidden=not sys.stderr.isatty(), show_pos=True
    ) as bar:
        n_written = PHANTOM_WRITERS[ScanKind(kind)](order, lambda done: bar.update(done - bar.pos))
    click.echo(f"{n_written} scans written: {folder / MANIFEST_NAME}", err=True)
