"""`octaudit bench`: measurements of this machine, written as figures and ratios of one run."""

import sys
from functools import partial
from pathlib import Path

import click

from core.figures_file import write_figures


@click.group()
def command() -> None:
    """Measure this machine. Figures are comparable only within one run: read the ratios.

    \b
    Example:
      octaudit bench scoring --json scoring.json
    """


@command.command()
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option("--scans", default=64, show_default=True, type=click.IntRange(1, 2000), help="Phantoms per round.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 20), help="Rounds; medians count.")
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(1, 512), help="Scans per batch.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
@click.option("--model", default="bundled", show_default=True, help="bundled, or the path of a .safetensors file.")
def scoring(*, json_path: Path | None, scans: int, rounds: int, batch_size: int, device: str, model: str) -> None:
    """Scans per second at 304 x 304, and the whole pipeline against the bare forward pass.

    Needs no installation: servers of its own run in a temporary folder meanwhile.

    \b
    Example:
      octaudit bench scoring --scans 128 --json scoring.json
    """
    from core.scoring.registry import load_scorer
    from core.usecases.measure_scoring import measure_scoring
    from core.vocabulary import ScanKind

    scorer = load_scorer(ScanKind.OCTA_ENFACE, model=model, device=device)
    with click.progressbar(
        length=rounds, label="Rounds", file=sys.stderr, hidden=not sys.stderr.isatty(), show_pos=True
    ) as bar:
        figures = measure_scoring(
            scorer,  # type: ignore[arg-type]  # the lane's scorer has a forward pass of its own
            n_scans=scans,
            n_rounds=rounds,
            batch_size=batch_size,
            device=device,
            on_round=lambda number: bar.update(number - bar.pos),
        )
    click.echo(
        f"forward {figures.forward_scans_per_s:.1f} scans/s, "
        f"pipeline {figures.pipeline_scans_per_s:.1f} scans/s (ratio {figures.pipeline_ratio:.2f}), "
        f"files {figures.files_scans_per_s:.1f} scans/s (ratio {figures.files_ratio:.2f})"
    )
    write_figures(json_path, figures)


@command.command()
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option("--bscans", default=97, show_default=True, type=click.IntRange(1, 1000), help="B-scans of the volume.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 20), help="Rounds; medians count.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, or auto.")
@click.option("--model", default="bundled", show_default=True, help="bundled, or the path of a .safetensors file.")
def volume(*, json_path: Path | None, bscans: int, rounds: int, device: str, model: str) -> None:
    """Seconds, processor time and memory for a volume of 97 B-scans, as the table of docs/speed.md.

    Layers, thickness map and sectors of a drawn volume, in a process of its own.

    \b
    Example:
      octaudit bench volume --json docs/figures/volume.json
    """
    from core.scoring.registry import load_scorer
    from core.usecases.measure_volume import measure_volume, volume_table
    from core.vocabulary import ScanKind

    load = partial(load_scorer, ScanKind.VOLUME, model=model, device=device)
    figures = measure_volume(load, n_rounds=rounds, n_bscans=bscans, device=device)
    click.echo(volume_table(figures))
    write_figures(json_path, figures)


@command.command()
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option("--count", default=40, show_default=True, type=click.IntRange(8, 2000), help="Phantoms of each family.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same phantoms.")
def vessels(*, json_path: Path | None, count: int, seed: int) -> None:
    """Bias of perfusion and skeleton density on phantoms of known density, as the table of docs/metrics.md.

    \b
    Example:
      octaudit bench vessels --json docs/figures/vessel-bias.json
    """
    from core.usecases.measure_vessel_bias import bias_table, measure_vessel_bias

    record = measure_vessel_bias(count=count, seed=seed)
    click.echo(bias_table(record))
    write_figures(json_path, record)


@command.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of labelled images.")
@click.option("--model", default="bundled", show_default=True, help="bundled, or the path of a .safetensors file.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
def heads(*, data: Path, model: str, json_path: Path | None) -> None:
    """Heads for grade and severities compared by cross-validation, as the table of docs/experiments.md.

    \b
    Example:
      octaudit bench heads --data ../shared/data --json docs/figures/heads.json
    """
    from core.training.compare_heads import compare_heads, heads_table
    from core.training.recipe import recipe_named

    recipe = recipe_named("octa-enface")
    record = compare_heads(data, model=model, recipe_seed=recipe.seed, split_seed=recipe.split_seed)
    click.echo(heads_table(record))
    write_figures(json_path, record)


@command.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of labelled images.")
@click.option("--model", default="bundled", show_default=True, help="bundled, or the path of a .safetensors file.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
def zones(*, data: Path, model: str, json_path: Path | None) -> None:
    """Ways of looking at the FAZ again, compared on training part, tuning part and phantoms; nothing kept aside.

    \b
    Example:
      octaudit bench zones --data ../shared/data --json docs/figures/zones.json
    """
    from core.training.compare_zones import compare_zones, zones_table
    from core.training.recipe import recipe_named

    recipe = recipe_named("octa-enface")
    record = compare_zones(data, model=model, recipe_seed=recipe.seed, split_seed=recipe.split_seed)
    click.echo(zones_table(record))
    write_figures(json_path, record)


@command.command()
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option("--effort", default=100, show_default=True, type=click.IntRange(1, 1000), help="Simulations, in percent.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same figures.")
def statistics(*, json_path: Path | None, effort: int, seed: int) -> None:
    """Proof of the statistics of rates by simulation, as the tables of docs/statistics.md.

    False flags and power of the funnel, control of false discoveries, coverage of every interval, and run lengths of
    every chart.

    \b
    Example:
      octaudit bench statistics --json docs/figures/statistics.json
    """
    from core.usecases.prove_statistics import prove_statistics, tables

    def say(part: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"Simulating {part.replace('_', ' ')} ...", err=True)

    record = prove_statistics(effort=effort, seed=seed, on_part=say)
    click.echo("\n\n".join(tables(record).values()))
    write_figures(json_path, record)


@command.command()
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option(
    "--scans", nargs=3, default=(10_000, 100_000, 1_000_000), show_default=True, type=click.IntRange(1_000, 10_000_000),
    help="Sizes of the generated programmes, the smallest first.",
)  # fmt: skip
@click.option("--rounds", default=20, show_default=True, type=click.IntRange(1, 200), help="Looks at each page.")
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep the programmes here, and use them."
)
def pages(*, json_path: Path | None, scans: tuple[int, int, int], rounds: int, keep: Path | None) -> None:
    """Time in the database for each page's data, for managers of 1, 10 and all sites, as the table of docs/rates.md.

    Generates a programme of each size (300 sites, 900 devices, 5 years) in a temporary database. A million scans take
    minutes and about 8 GB below /tmp meanwhile, or in the folder that --keep names, which a next run uses again.

    \b
    Example:
      octaudit bench pages --scans 10000 100000 1000000 --json docs/figures/pages.json
    """
    from core.usecases.measure_pages import measure_pages, pages_table, summary

    def say(step: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{step}", nl=False, err=True)

    record = measure_pages(sorted(scans), n_rounds=rounds, kept_in=keep, on_step=say)
    click.echo(f"{pages_table(record)}\n\n{summary(record)}")
    write_figures(json_path, record)
