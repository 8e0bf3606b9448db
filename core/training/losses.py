"""What the joint network is punished for: wrong grade, wrong masks where the truth is known, impossible extents."""

import torch
from torch import Tensor
from torch.nn import functional

from core.networks.octa_enface import OctaEnfaceOutput
from core.training.samples import FAZ_CHANNEL, UNKNOWN_GRADE

MODALITY_WEIGHT, EXTENT_WEIGHT = 0.3, 0.4
LABEL_SMOOTHING = 0.05
"""The two readers agree on the grade in 87 % of images: certainty beyond that is not in the labels."""

_TINY = 1e-4
"""A fraction of a 128 x 128 map below two cells counts as none."""


def joint_loss(output: OctaEnfaceOutput, target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each part of the loss and their sum under "total"; ``target`` holds the arrays of samples.Batch as tensors."""
    logits = torch.cat([output.artifacts, output.faz[:, None]], dim=1)  # (B, 5, H, W)
    masks, weights = target["masks"], target["weights"]
    parts = {
        "grade": grade_loss(output.grade, target["grade"]),
        "artifacts": mask_loss(logits[:, :FAZ_CHANNEL], masks[:, :FAZ_CHANNEL], weights[:, :FAZ_CHANNEL]),
        "faz": mask_loss(logits[:, FAZ_CHANNEL:], masks[:, FAZ_CHANNEL:], weights[:, FAZ_CHANNEL:]),
        "modality": MODALITY_WEIGHT * functional.binary_cross_entropy_with_logits(output.is_octa, target["is_octa"]),
        "extent": EXTENT_WEIGHT * extent_loss(output.artifacts, target["bands"]),
    }
    return parts | {"total": torch.stack(list(parts.values())).sum()}


def grade_loss(logits: Tensor, grade: Tensor) -> Tensor:
    """Cross entropy (B, 3) against (B,) over the graded samples; 0 where none is."""
    graded = grade != UNKNOWN_GRADE
    if not bool(graded.any()):
        return logits.sum() * 0
    return functional.cross_entropy(logits[graded], grade[graded], label_smoothing=LABEL_SMOOTHING)


def mask_loss(logits: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
    """Binary cross entropy plus soft Dice (B, C, H, W) over known cells.

    Dice is taken per channel over the whole batch (a sum over samples is stable where single masks are empty).
    """
    known = weights.sum().clamp(min=1)
    entropy = (functional.binary_cross_entropy_with_logits(logits, masks, reduction="none") * weights).sum() / known
    probability = torch.sigmoid(logits)
    axes = (0, 2, 3)
    overlap = 2 * (probability * masks * weights).sum(axes) + 1
    both = ((probability + masks) * weights).sum(axes) + 1
    return entropy + (1 - overlap / both).mean()


def extent_loss(logits: Tensor, bands: Tensor) -> Tensor:
    """How far the predicted area fractions (B, 4) lie outside the bands (B, 4, 2) that the graded severities allow.

    On a logarithmic scale: predicting 1 % where 10 % was seen is as wrong as predicting 10 % where 1 % was seen.
    """
    fraction = torch.sigmoid(logits).mean(dim=(2, 3)).clamp(min=_TINY).log()
    low, high = bands[..., 0].clamp(min=_TINY).log(), bands[..., 1].clamp(min=_TINY).log()
    return (functional.relu(low - fraction) + functional.relu(fraction - high)).mean()
