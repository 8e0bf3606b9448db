"""`octaudit train`: fit a recipe on a folder of images and write weights with their model card."""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("recipe")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of training images.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for weights, card and losses.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the --out folder.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
@click.option("--steps", type=click.IntRange(min=1), help="Fewer or more steps than the recipe has.")
@click.option("--from", "start_from", type=click.Path(path_type=Path), help="Begin with these weights (.safetensors).")
@click.option("--seed", type=int, help="Another seed than the recipe's.")
def command(
    *,
    recipe: str,
    data: Path,
    out: Path,
    resume: bool,
    device: str,
    steps: int | None,
    start_from: Path | None,
    seed: int | None,
) -> None:
    """Train RECIPE (octa-enface) and write NAME.safetensors and NAME.json.

    The parts that are held out and tuned on are chosen by subject before anything is looked at; the figures in the
    card are those of the held-out part. A stopped training goes on with --resume.

    \b
    Example:
      octaudit train octa-enface --data ../shared/data --out runs/octa-enface
      octaudit train octa-enface --data ../shared/data --out runs/octa-enface --resume
    """
    from core.training.recipe import recipe_named
    from core.training.train import train

    chosen = recipe_named(recipe).changed(n_steps=steps, seed=seed)
    with click.progressbar(
        length=chosen.n_steps, label="Training", file=sys.stderr, hidden=not sys.stderr.isatty(), show_pos=True
    ) as bar:
        written = train(
            chosen,
            data,
            out,
            device=device,
            resume=resume,
            start_from=start_from,
            report=lambda progress: bar.update(progress.step - bar.pos),
        )
    click.echo(f"Wrote {written.weights} and its card.")
    for metric in written.card.metrics:
        click.echo(f"  {metric.set}: {metric.name} {metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})")
