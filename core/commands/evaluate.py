"""`octaudit evaluate`: the figures of a model on the held-out part of a folder, with intervals over subjects."""

from pathlib import Path

import click


@click.command()
@click.argument("recipe")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of labelled images.")
@click.option("--model", default="bundled", show_default=True, help="bundled, or the path of a .safetensors file.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
def command(*, recipe: str, data: Path, model: str, json_path: Path | None, device: str) -> None:
    """Evaluate a model of RECIPE (octa-enface) on the held-out part of the data, on phantoms and on strangers.

    \b
    Example:
      octaudit evaluate octa-enface --data ../shared/data --model bundled --json figures.json
    """
    from core.training.recipe import recipe_named
    from core.training.train import evaluate_model

    report = evaluate_model(recipe_named(recipe), data, model=model, device=device)
    for metric in report.metrics:
        click.echo(
            f"{metric.set}: {metric.name} {metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}), "
            f"{metric.n_images} images of {metric.n_subjects} subjects"
        )
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
