"""`octaudit compare`: whether one's own scans look like the phantoms, or like those of another folder."""

import json
from pathlib import Path

import click


@click.command()
@click.argument("scans", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("other", metavar="[OTHER]", required=False, type=click.Path(path_type=Path))
@click.option("--pattern", default="*", show_default=True, help="Which files of DIR (and of OTHER) to take.")
@click.option("--family", default=None, help="Phantoms of one source only, such as octa500-3mm.")
@click.option("--count", default=40, show_default=True, type=click.IntRange(8, 2000), help="Images of each set.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same phantoms.")
@click.option("--json", "json_path", default=None, type=click.Path(path_type=Path), help="Write the figures there too.")
def command(
    *, scans: Path, other: Path | None, pattern: str, family: str | None, count: int, seed: int, json_path: Path | None
) -> None:
    """Compare the scans in DIR with phantoms, or with the images in OTHER, by simple statistics.

    Grey levels, spectrum, lines and vessel density: of each the median and central 90 % of DIR, the median of the other
    set, and the Wasserstein distance between both in standard deviations of DIR. A statistic marked "outside" is one by
    which a model taught on phantoms may fail on these scans.

    \b
    Example:
      octaudit compare scans/ --family octa500-3mm
      octaudit compare site-1/ site-2/ --json site-1-against-2.json
    """
    from core.usecases.compare_looks import compare_looks, measure_looks, phantoms, read_images

    own = measure_looks(read_images(scans, pattern, at_most=count))
    if other is None:
        images, name = phantoms(count, seed, family), f"phantoms {family or 'of all families'}"
    else:
        images, name = iter(read_images(other, pattern, at_most=count)), other.name
    result = compare_looks(own, measure_looks(images), names=(scans.name, name))
    click.echo(f"{'statistic':24}{'5 %':>10}{'median':>10}{'95 %':>10}{'other':>10}{'distance':>10}")
    for row in result.statistics:
        figures = (row.low, row.median, row.high, row.other_median, row.distance)
        mark = "" if row.is_within else "  outside"
        click.echo(f"{row.name:24}" + "".join(f"{figure:10.2f}" for figure in figures) + mark)
    click.echo(
        f"{result.n_reference} scans against {result.n_other} ({name}): {result.n_within} of {len(result.statistics)} "
        f"medians within the central 90 %, mean distance {result.mean_distance:.2f}."
    )
    if json_path is not None:
        json_path.write_text(json.dumps(result.as_record(), indent=2) + "\n", encoding="utf-8")
