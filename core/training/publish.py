"""Writes a trained network as weights plus model card: what ships, and what load_scorer reads."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from core.networks.octa_enface import OctaEnfaceNetwork
from core.scoring.card import Calibration, Likeness, ModelCard, OperatingPoint, ReportedMetric, TrainingSet, sha256_of
from core.scoring.lanes.canvas import PREPROCESSING
from core.scoring.lanes.scan_heads import ScanHeads
from core.training.recipe import Recipe
from core.training.splits import Part, SplitImage
from core.vocabulary import GradeScale, ScanKind

_KNOWN_SETS = {
    "faz_coips": (
        "CC BY 4.0",
        "COIPS data set, Wang et al. 2021, doi:10.5281/zenodo.5075194",
        "FAZ masks",
    ),
    "octa_graded": (
        "COIPS part CC BY 4.0; OCTA-500 and ROSSA parts research use",
        "COIPS (doi:10.5281/zenodo.5075194), OCTA-500 (Li et al. 2024), ROSSA (Ning et al.)",
        "the scan heads: grades and artifact severities by two masked non-clinical readers and a third",
    ),
    "octa_pool": ("research use", "OCTA-500 (Li et al. 2024), ROSSA (Ning et al.)", "images to degrade; large vessels"),
    "layers_duke_dme": ("research use", "Chiu et al. 2015, Duke", "pictures that are no OCTA en-face images"),
    "bscan_sdoct": ("research use", "Fang et al. 2013, Duke", "pictures that are no OCTA en-face images"),
    "bscan_kermany": (
        "CC BY 4.0",
        "Kermany et al. 2018, Mendeley Data rscbjbr9sj",
        "pictures that are no OCTA en-face images",
    ),
    "bscan_srf": ("course data", "University of Bern", "pictures that are no OCTA en-face images"),
}

INTENDED_USE = (
    "Auditing the technical quality of OCTA en-face scans in research. Not a medical device; not for diagnosis."
)

LABELS = (
    "Non-clinical labels: the grades and artifact severities were given by eye by readers who are not clinicians, "
    "after the definitions of COIPS's Table 2. FAZ masks are the manual ones of the COIPS data set."
)

KNOWN_FAILURES = (
    "Trained on macular scans of few devices at 3 and 6 mm; wide fields, discs and structural images are outside.",
    "Grade and source go together in the public sets: read the figures within source, not the overall ones.",
    "Artifact masks were learned from simulated artifacts; no real mask was ever drawn.",
    "How much of a scan is marked follows the severity, which readers taught; where, only simulations taught.",
    "Defocus: few real examples of one source, and the readers agree least on it.",
    "Grad-CAM explains the network's own opinion of the grade, one of the numbers that the forests decide on.",
    "Centration is validated on shifted crops and phantoms only; nearly all graded images are centred.",
    "In scans of diabetic eyes capillary drop-out next to the fovea can be taken for FAZ.",
    (
        "Of several dark regions the most central is taken for the FAZ: a fovea at the edge beside central drop-out is "
        "missed."
    ),
    (
        "In 6 mm scans whose macula is a dark field without a visible ring of vessels, a part of that field can be "
        "taken for the FAZ, several times its size."
    ),
    "Motion that only shifts the lines below it, without a visible seam, is missed.",
)


def write_weights(network: OctaEnfaceNetwork, heads: ScanHeads | None, path: Path) -> None:
    """Convolution and linear weights as float16; the small normalisation layers, which could overflow, as float32.

    The scan heads lie beside them under names of their own.
    """
    tensors = {}
    for name, value in network.state_dict().items():
        is_large = value.is_floating_point() and value.ndim > 1
        tensors[name] = (value.half() if is_large else value).detach().cpu().contiguous()
    if heads is not None:
        tensors |= {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in heads.tensors().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)


def write_card(
    path: Path,
    network: OctaEnfaceNetwork,
    recipe: Recipe,
    images: Sequence[SplitImage],
    *,
    point: OperatingPoint,
    likeness: Likeness,
    calibration: Calibration | None,
    metrics: Sequence[ReportedMetric],
) -> ModelCard:
    """The card of the weights at ``path``, written beside them as JSON."""
    card = ModelCard(
        name=recipe.name,
        version=recipe.version,
        kind=ScanKind.OCTA_ENFACE,
        grade_scale=GradeScale.COIPS_3,
        weights_sha256=sha256_of(path),
        preprocessing=PREPROCESSING,
        network=network.shape.model_dump(),
        operating_point=point,
        likeness=likeness,
        calibration=calibration,
        recipe=recipe.model_dump() | {"torch": torch.__version__},
        commands=(
            f"octaudit train {recipe.asked_as} --data DIR --out OUT  # all anew, the network too: alike, not equal",
            (
                f"octaudit train {recipe.asked_as} --data DIR --out OUT --init THESE.safetensors --keep-network  "
                "# scan heads, decisions, calibration and figures on this network: equal to the last bit on one machine"
            ),
            (
                f"octaudit train {recipe.asked_as} --data DIR --out OUT --init THESE.safetensors --keep-network "
                "--second-look  # besides, first the second look at the FAZ: alike, not equal"
            ),
            f"octaudit evaluate {recipe.name} --data DIR --model THESE.safetensors --json FILE  # the figures alone",
        ),
        split=(
            f"By subject and near-duplicate group, stratified by source, slab, grade and FAZ mask, ordered by a hash "
            f"with seed {recipe.split_seed}: 25 % held out, 10 % for tuning, the rest for training "
            f"(core/training/splits.py). Graded images: no grade is used in training the network; the scan heads are "
            f"judged by cross-validation and fitted on all of them (core/training/scan_heads.py)."
        ),
        data=tuple(_training_sets(images)),
        metrics=tuple(metrics),
        known_failures=KNOWN_FAILURES,
        intended_use=INTENDED_USE,
        labels=LABELS,
    )
    return _stored(path, card)


def with_metrics(path: Path, card: ModelCard, metrics: Sequence[ReportedMetric]) -> ModelCard:
    """The card again, with its figures, written beside the weights."""
    return _stored(path, card.model_copy(update={"metrics": tuple(metrics)}))


def _stored(path: Path, card: ModelCard) -> ModelCard:
    path.with_suffix(".json").write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return card


def _training_sets(images: Sequence[SplitImage]) -> list[TrainingSet]:
    names = sorted({item.image.key.split("/")[0] for item in images})
    found = []
    for name in names:
        licence, source, used_for = _KNOWN_SETS.get(name, ("not stated", "the user's own", "as its manifest says"))
        parts = [item.part for item in images if item.image.key.split("/")[0] == name]
        found.append(
            TrainingSet(
                name=name,
                licence=licence,
                source=source,
                used_for=used_for,
                n_train=parts.count(Part.TRAIN),
                n_tune=parts.count(Part.TUNE),
                n_held_out=parts.count(Part.HELD_OUT),
            )
        )
    return found
