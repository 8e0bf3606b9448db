"""The losses of COIPS, equation by equation.

Wang et al., A deep learning-based quality assessment and segmentation system with a large-scale benchmark dataset for
optical coherence tomographic angiography image, sections 3.2 and 3.3.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from core.errors import UsageError
from core.vocabulary import CoipsGrade


def class_weights(counts: Sequence[int]) -> Tensor:
    """Eq. 2: the images of all classes over N times those of the class; (N,), 1 where all are equally common.

    Raises
    ------
    UsageError
        A class has no image: its weight would be infinite, and nothing could be learned of it.
    """
    empty = [CoipsGrade(index).name.lower() for index, count in enumerate(counts) if count == 0]
    if empty:
        raise UsageError(
            f"The training part holds no image graded {' or '.join(empty)}.",
            remedy="Add images of every grade from several subjects; the model tells apart only what it has seen.",
        )
    return torch.tensor([sum(counts) / (len(counts) * count) for count in counts])


def weighted_cross_entropy(logits: Tensor, grade: Tensor, weights: Tensor) -> Tensor:
    """Eqs. 3-5: each image's cross entropy times its class's weight, over the sum of those weights.

    ``logits`` (B, N), ``grade`` (B,) in 0..N-1, ``weights`` (N,).
    """
    return functional.cross_entropy(logits, grade, weight=weights)


def dice_loss(logits: Tensor, mask: Tensor, smoothing: float) -> Tensor:
    """Eqs. 6 and 7: one minus (2 TP + 1) / (2 TP + FN + FP + 1) of the FAZ's probability, pixels of the whole batch.

    ``logits`` (B, 2, H, W), ``mask`` (B, H, W) in 0..1. The sums run over the batch, as in nnU-Net's 2-D plans:
    an image without FAZ then costs no more than its false positives.
    """
    probability = torch.softmax(logits.float(), dim=1)[:, 1]  # (B, H, W)
    overlap = (probability * mask).sum()
    both = probability.sum() + mask.sum()  # 2 TP + FN + FP
    return 1 - (2 * overlap + smoothing) / (both + smoothing)


def faz_loss(logits: Tensor, mask: Tensor, *, entropy_share: float, smoothing: float) -> Tensor:
    """Eq. 9: lambda times eq. 8, as a mean over pixels, plus one minus lambda times the Dice loss."""
    entropy = functional.cross_entropy(logits.float(), mask.long())
    return entropy_share * entropy + (1 - entropy_share) * dice_loss(logits, mask, smoothing)
