"""What the joint network is punished for: wrong masks where the truth is known, wrong grade, wrong modality."""

import torch
from torch import Tensor
from torch.nn import functional

from core.networks.octa_enface import OctaEnfaceOutput
from core.training.samples import FAZ_CHANNEL, LARGE_VESSEL_CHANNEL, UNKNOWN_GRADE

MODALITY_WEIGHT, GRADE_WEIGHT, LARGE_VESSEL_WEIGHT = 0.3, 0.5, 0.5
"""The masks matter most: the grade here is a simulated one, and it only shapes the encoder."""
LABEL_SMOOTHING = 0.05


def joint_loss(output: OctaEnfaceOutput, target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each part of the loss and their sum under "total"; ``target`` holds the arrays of samples.Batch as tensors."""
    logits = torch.cat([output.artifacts, output.faz[:, None], output.large_vessels[:, None]], dim=1)  # (B, 6, H, W)
    masks, weights = target["masks"], target["weights"]

    def of_channels(channels: slice) -> Tensor:
        return mask_loss(logits[:, channels], masks[:, channels], weights[:, channels])

    parts = {
        "grade": GRADE_WEIGHT * grade_loss(output.grade, target["grade"]),
        "artifacts": of_channels(slice(0, FAZ_CHANNEL)),
        "faz": of_channels(slice(FAZ_CHANNEL, FAZ_CHANNEL + 1)),
        "large_vessels": LARGE_VESSEL_WEIGHT * of_channels(slice(LARGE_VESSEL_CHANNEL, LARGE_VESSEL_CHANNEL + 1)),
        "modality": MODALITY_WEIGHT * functional.binary_cross_entropy_with_logits(output.is_octa, target["is_octa"]),
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
