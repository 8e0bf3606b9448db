"""`octaudit score`: grade, masks, metrics and verdict for image files, without a database or a server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.errors import ExitCode, UsageError
from core.vocabulary import LayerScheme, ScanKind, Slab, Verdict

if TYPE_CHECKING:
    from core.policy.protocol import Protocol
    from core.scoring.card import Calibration
    from core.usecases.score_files import ScoreTally


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.jsonl, masks and CAMs.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in ScanKind]),
    default=ScanKind.OCTA_ENFACE.value,
    show_default=True,
    help="What the files are pictures of.",
)
@click.option("--fov-mm", metavar="W[xH]", help="Field in mm: 3 means 3 x 3, or 6x4.5. Unset: no values in mm.")
@click.option(
    "--slab",
    type=click.Choice([slab.value for slab in Slab]),
    default=Slab.UNKNOWN.value,
    show_default=True,
    help="Layer band of the images.",
)
@click.option(
    "--scheme",
    type=click.Choice([scheme.value for scheme in LayerScheme]),
    help="Of a volume's layers [default: the model's own]. A coarser one than the model's is put together from it.",
)
@click.option("--manifest", type=click.Path(path_type=Path), help="CSV with a row per file; overrules the options.")
@click.option("--batch-size", type=click.IntRange(1, 512), default=16, show_default=True, help="Scans per batch.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto.")
@click.option(
    "--model",
    default="bundled",
    show_default=True,
    help="bundled, the path of a .safetensors file, or a folder that holds coips-quality and coips-faz.",
)
@click.option(
    "--level",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    help="Share of all scans that may be accepted although ungradable [default: 0.01, where the model is calibrated].",
)
@click.option("--force-faz", is_flag=True, help="Give FAZ metrics of ungradable scans, too (for evaluation).")
def command(
    *,
    paths: tuple[Path, ...],
    out: Path,
    kind: str,
    fov_mm: str | None,
    slab: str,
    scheme: str | None,
    manifest: Path | None,
    batch_size: int,
    device: str,
    model: str,
    level: float | None,
    force_faz: bool,
) -> None:
    """Score the images at PATH (files or folders) and write DIR/results.jsonl, DIR/masks and DIR/cam.

    Every file gets one line of results.jsonl: grade, masks, measures, and a verdict (accept, review by a person,
    reacquire) with its reasons. Exits with 3 when some files could not be scored; the others are done. Research use,
    not a medical device.

    \b
    Example:
      octaudit score scans/ --out scores/ --fov-mm 3 --slab superficial
      octaudit score a.png b.tif --out scores/ --manifest manifest.csv
      octaudit score macula.vol --out scores/ --kind volume --scheme retina
    """
    from core.scoring.registry import load_scorer, scorer_in_scheme
    from core.settings import load_settings
    from core.usecases.collect_files import collect_files
    from core.usecases.score_files import RESULTS_NAME, ScoreRun, score_files

    files = collect_files(paths, out=out, field_mm=parse_field_mm(fov_mm), slab=Slab(slab), manifest=manifest)
    scorer = load_scorer(ScanKind(kind), model=model, device=device)
    if scheme is not None:
        scorer = scorer_in_scheme(scorer, LayerScheme(scheme))
    with click.progressbar(
        length=len(files), label="Scoring", file=sys.stderr, hidden=not sys.stderr.isatty(), show_pos=True
    ) as bar:
        run = ScoreRun(
            scorer=scorer,
            out=out,
            protocol=protocol_at(level, scorer.calibration),
            batch_size=batch_size,
            max_megapixels=load_settings().image_max_megapixels,
            release_faz=force_faz,
            on_done=lambda count: bar.update(count - bar.pos),
        )
        tally = score_files(files, run)
    for line in summary_lines(tally):
        click.echo(line, err=True)
    click.echo(f"{tally.n_scored} scored, {tally.n_failed} failed: {out / RESULTS_NAME}", err=True)
    if tally.n_failed:
        sys.exit(ExitCode.SOME_FAILED)


def summary_lines(tally: "ScoreTally") -> list[str]:
    """The verdicts, and for the first files that could not be scored why not and what to do."""
    told = ((record["file"], record["error"]) for record in tally.first_errors)
    lines = [f"{name}: {error['message']} {error['remedy']}" for name, error in told]
    if more := tally.n_failed - len(lines):
        lines.append(f"{more} more could not be scored; the results say why.")
    if tally.verdicts:
        lines.append(", ".join(f"{verdict} {tally.verdicts.get(verdict, 0)}" for verdict in Verdict))
    return lines


def protocol_at(level: float | None, calibration: "Calibration | None") -> "Protocol":
    """The default protocol at an accept level.

    Raises
    ------
    UsageError
        The model has no calibration scans to keep the level by, or too few for it.
    """
    from core.policy.protocol import Protocol
    from core.scoring.acceptance import refuse_unless_possible

    protocol = Protocol.default() if level is None else Protocol(conformal_level=level)
    if calibration is not None:
        refuse_unless_possible(calibration, protocol.conformal_level)
    elif level is not None:
        raise UsageError(
            "This model's card has no calibration scans, so no level can be kept.",
            remedy="Leave --level out, or use a model that was trained with graded scans.",
        )
    return protocol


def parse_field_mm(text: str | None) -> tuple[float, float] | None:
    """Width and height in mm from "3" (a square field) or "6x4.5"; None where nothing was given."""
    if text is None:
        return None
    parts = text.lower().replace("mm", "").split("x")
    try:
        width, height = float(parts[0]), float(parts[-1])
    except ValueError:
        width = height = 0.0
    if len(parts) > 2 or not (0.5 <= width <= 30 and 0.5 <= height <= 30):  # noqa: PLR2004 - no device is outside
        raise UsageError(f"{text!r} is no field of view.", remedy="Write --fov-mm 3 or --fov-mm 6x4.5 (0.5 to 30 mm).")
    return width, height
