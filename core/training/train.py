"""The whole way from a folder of images to weights with a card: parts, bank, fit, calibration, evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from core.errors import UsageError
from core.networks.faz_refiner import FazRefiner
from core.networks.octa_enface import OctaEnfaceNetwork
from core.scoring.card import Likeness, ModelCard, OperatingPoint, sha256_of
from core.scoring.registry import weights_path
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.scoring.torch_backend.octa_enface import OctaEnfaceScorer, load_heads, load_network
from core.training.bank import cached_phantoms, fill_bank
from core.training.calibrate import fit_likeness, operating_point
from core.training.evaluation.acceptance import acceptance_figures
from core.training.evaluation.cases import Case, evaluation_phantoms, image_cases, phantom_cases, stranger_cases
from core.training.evaluation.octa_enface import evaluation_of
from core.training.evaluation.report import Evaluation, Identity
from core.training.fit import CHECKPOINT_NAME, LOG_NAME, fit
from core.training.fit_refiner import (
    FINDER,
    REFINER,
    STAGES,
    checkpoint_of,
    fit_refiner,
    log_of,
    zoned_phantoms,
    zoned_scans,
)
from core.training.folder import read_folder
from core.training.graded import (
    PROTOCOL,
    GradedScans,
    fit_graded,
    graded_images,
    graded_scans,
    is_calibrated_on,
    out_of_fold_cases,
)
from core.training.loss_curves import draw_losses
from core.training.predictions import picture_features, predict_images, predict_phantoms
from core.training.progress import Progress
from core.training.publish import LABELS, with_metrics, write_card, write_weights
from core.training.recipe import Recipe
from core.training.samples import Canvas
from core.training.splits import Part, SplitImage, split, write_splits
from core.training.supervised.history import CURVES_NAME
from core.training.supervised.parts import SPLITS_NAME
from core.training.watches import Watches, validation_of
from core.vocabulary import ScanKind

N_EVALUATION_PHANTOMS, N_TUNING_PHANTOMS = 120, 60
N_DRAWN_STRANGERS = 120
PHANTOMS_NAME = "phantoms.npz"
_LOGS = {"Network": LOG_NAME, "Network, tuning part": validation_of()} | {
    name: log
    for called, title in STAGES.items()
    for name, log in ((title, log_of(called)), (f"{title}, tuning part", validation_of(called)))
}
"""What the parts of a training wrote down, by the titles of their curves."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training wrote and how good it is."""

    weights: Path
    card: ModelCard


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    start_from: Path | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> TrainingReport:
    """Run the recipe; ``out`` gets weights, card, parts, losses with their curves, and what resuming needs.

    ``start_from`` are weights of the same network to begin with instead of random ones.

    Raises
    ------
    UsageError
        The data folder has faults, or ``out`` holds another training.
    """
    if start_from is not None:
        recipe = recipe.starting_from(sha256_of(start_from))
    images = split(read_folder(data), seed=recipe.split_seed)
    if (out / CHECKPOINT_NAME).is_file() and not resume:
        raise _holds_a_training(out)
    out.mkdir(parents=True, exist_ok=True)
    limit_threads()
    phantoms = _phantoms(recipe, out)
    chosen = choose_device(device)
    watches = Watches(recipe, images, out, chosen)
    network = fit(
        fill_bank(images, phantoms=phantoms),
        recipe,
        out,
        device=chosen,
        fingerprint=recipe.fingerprint([item.image.key for item in images if item.part is Part.TRAIN]),
        resume=resume,
        start_from=start_from,
        watch=watches.of_network(),
        report=report,
    )
    _refine(network, recipe, images, phantoms, out, watches=watches, resume=resume, report=report)
    return publish(network, watches.noted(), images, out, device=device)


def _refine(
    network: OctaEnfaceNetwork,
    recipe: Recipe,
    images: Sequence[SplitImage],
    canvases: Sequence[Canvas],
    out: Path,
    *,
    watches: Watches,
    resume: bool,
    report: Callable[[Progress], None],
) -> None:
    """Give the network the second look and the finder of the recipe, trained on what it sees itself at first."""
    device = watches.device
    fingerprint = recipe.fingerprint([item.image.key for item in images if item.part is Part.TRAIN])

    def fitted(chosen: Recipe, called: str) -> FazRefiner | None:
        scans = zoned_scans(network, images, zoned_phantoms(chosen.refiner, canvases, seed=recipe.seed), device)
        known = {"device": device, "fingerprint": fingerprint, "resume": resume, "report": report}
        known["watch"] = watches.of_refiner(network, chosen, called)
        return fit_refiner(*scans, chosen, out, called=called, **known)  # type: ignore[arg-type]

    refiner = fitted(recipe, REFINER)
    if refiner is not None:
        network.refine_with(refiner)
    finder = None if recipe.finder is None else fitted(recipe.as_finder(), FINDER)
    if finder is not None and recipe.finder is not None:
        network.find_with(finder, recipe.finder.region_px)


def refit(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    start_from: str,
    second_look: bool = False,
    device: str = "auto",
    resume: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> TrainingReport:
    """Keep a trained network and fit everything that lies on it anew: scan heads, decisions, calibration and figures.

    Minutes instead of hours, and enough for graded scans of one's own: no grade plays a part in the network's training.

    Parameters
    ----------
    start_from : str
        ``bundled``, or the path of weights with a card beside them.
    second_look : bool
        Train the recipe's second look at the FAZ, and its finder, on the network first; else those of ``start_from``
        are kept.

    Raises
    ------
    UsageError
        The data folder has faults, there are no such weights, or ``out`` is where they lie.
    """
    weights = weights_path(ScanKind.OCTA_ENFACE, start_from)
    if weights.parent.resolve() == out.resolve():
        raise UsageError(f"{out} holds the weights to begin with.", remedy="Give another folder with --out.")
    limit_threads()
    chosen = choose_device(device)
    network = load_network(weights, ModelCard.beside(weights), chosen)
    images = split(read_folder(data), seed=recipe.split_seed)
    recipe = recipe.model_copy(update={"starts_from": sha256_of(weights)})
    if second_look:
        if checkpoint_of(out, REFINER).is_file() and not resume:
            raise _holds_a_training(out)
        out.mkdir(parents=True, exist_ok=True)
        watches = Watches(recipe, images, out, chosen)
        _refine(network, recipe, images, _phantoms(recipe, out), out, watches=watches, resume=resume, report=report)
        recipe = watches.noted()
    out.mkdir(parents=True, exist_ok=True)
    return publish(network, recipe, images, out, device=device)


def _holds_a_training(out: Path) -> UsageError:
    return UsageError(f"{out} already holds a training.", remedy="Add --resume, or give a new folder with --out.")


def _phantoms(recipe: Recipe, out: Path) -> list[Canvas]:
    return cached_phantoms(out / PHANTOMS_NAME, recipe.n_phantoms, seed=recipe.seed)


def publish(
    network: OctaEnfaceNetwork, recipe: Recipe, images: Sequence[SplitImage], out: Path, *, device: str
) -> TrainingReport:
    """Write the weights, choose the operating point on the tuning part, fit the scan heads, evaluate, write the card.

    Everything is measured with the weights as stored, after their rounding to float16.
    """
    write_splits(images, out / SPLITS_NAME)
    draw_losses({title: out / name for title, name in _LOGS.items()}, out / CURVES_NAME)
    weights = out / f"{recipe.name}.safetensors"
    write_weights(network, None, weights)
    draft = _draft_card(weights, network, recipe, images)
    chosen = choose_device(device)
    scorer = OctaEnfaceScorer(load_network(weights, draft, chosen), draft, chosen)
    point, likeness = _calibrated(scorer, images, recipe)
    known = graded_scans(scorer, images, seed=recipe.seed)
    graded = None
    if known is not None:
        graded = fit_graded(known, seed=recipe.seed, labels=LABELS, with_machine=recipe.with_machine)
    if graded is not None:
        write_weights(network, graded.heads, weights)
        scaling = graded.scaling
        point = point.model_copy(
            update={
                "grade_slopes": scaling.slopes,
                "grade_intercepts": scaling.intercepts,
                "grade_by_mean": scaling.by_mean_grade,
                "min_confidence": 0.0,
            }
        )
    undecided = write_card(
        weights,
        network,
        recipe,
        images,
        point=point,
        likeness=likeness,
        calibration=graded.calibration if graded else None,
        metrics=(),
    )
    report = _evaluated(weights, undecided, images, recipe, device=device, known=known).report
    return TrainingReport(weights, with_metrics(weights, undecided, report.metrics))


def evaluate_model(recipe: Recipe, data: Path, *, model: str, device: str = "auto") -> Evaluation:
    """The figures of a model on the held-out part that the recipe's split makes of the folder.

    They are honest only for weights trained with the same split: the card says with which. Graded images that the
    scan heads were fitted on are judged by cross-validation, others as they are.
    """
    weights = weights_path(ScanKind.OCTA_ENFACE, model)
    card = ModelCard.beside(weights)
    limit_threads()
    return _evaluated(weights, card, split(read_folder(data), seed=recipe.split_seed), recipe, device=device)


def _evaluated(
    weights: Path,
    card: ModelCard,
    images: Sequence[SplitImage],
    recipe: Recipe,
    *,
    device: str,
    known: GradedScans | None = None,
) -> Evaluation:
    """Judge the weights as the product uses them: through the scorer with the card's decisions.

    ``known`` are the graded scans with this network's statistics, where they were made before.
    """
    chosen = choose_device(device)
    scorer = OctaEnfaceScorer(load_network(weights, card, chosen), card, chosen, load_heads(weights))
    is_fitted_on = is_calibrated_on(card.calibration, images)
    held_out = [item for item in images if item.part is Part.HELD_OUT]
    protocols, more = {}, []
    if is_fitted_on and card.calibration is not None:
        seen = {item.image.key for item in graded_images(images)}
        held_out = [item for item in held_out if item.image.key not in seen]
        protocols = {name.split("/")[0]: PROTOCOL for name in seen}
        more = acceptance_figures(card.calibration, "graded scans", PROTOCOL)
    cases = held_out_cases(scorer, held_out, seed=recipe.seed)
    scans = known or (graded_scans(scorer, images, seed=recipe.seed) if is_fitted_on else None)
    if is_fitted_on and scans is not None:
        cases += out_of_fold_cases(scorer, scans, seed=recipe.seed)
    identity = Identity(
        model=card.name,
        version=card.version,
        weights_sha256=card.weights_sha256,
        split_seed=recipe.split_seed,
        split=card.split,
        labels=card.labels,
    )
    return evaluation_of(identity, cases, protocols=protocols, more_figures=more)


def held_out_cases(scorer: OctaEnfaceScorer, held_out: Sequence[SplitImage], *, seed: int) -> list[Case]:
    """These images, and phantoms and strangers that no training sees, with what the scorer says of them."""
    return [
        *image_cases(scorer, held_out),
        *phantom_cases(scorer, evaluation_phantoms(N_EVALUATION_PHANTOMS, seed=seed)),
        *stranger_cases(scorer, n_drawn=N_DRAWN_STRANGERS, seed=seed),
    ]


def _calibrated(
    scorer: OctaEnfaceScorer, images: Sequence[SplitImage], recipe: Recipe
) -> tuple[OperatingPoint, Likeness]:
    octa = [item for item in images if item.image.is_octa]
    trained_on = (item.image.pixels() for item in octa if item.part is Part.TRAIN)
    tuning = predict_images(scorer, [item for item in octa if item.part is Part.TUNE])
    # Seeds one and two above the recipe's: phantoms that are neither trained nor reported on.
    fitted = evaluation_phantoms(4 * N_TUNING_PHANTOMS, seed=recipe.seed + 1)
    checked = predict_phantoms(scorer, list(evaluation_phantoms(N_TUNING_PHANTOMS, seed=recipe.seed + 2)))
    likeness = fit_likeness(
        picture_features(chain(trained_on, (phantom.image for phantom in fitted))),
        np.stack([item.features for item in [*tuning, *checked]]),
    )
    return operating_point(tuning, checked), likeness


def _draft_card(weights: Path, network: OctaEnfaceNetwork, recipe: Recipe, images: Sequence[SplitImage]) -> ModelCard:
    """A card with neutral numbers, to load the weights by before anything is known of them."""
    point = OperatingPoint(
        temperature=1.0, min_confidence=0.0, min_octa_probability=0.5, artifact_thresholds={}, faz_threshold=0.5
    )
    likeness = Likeness(feature_names=(), mean=(), precision=(), max_distance=0.0)
    return write_card(weights, network, recipe, images, point=point, likeness=likeness, calibration=None, metrics=())
