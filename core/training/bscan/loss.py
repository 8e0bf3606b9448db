"""The losses of paper 003, equation by equation (Diao et al. 2023, doi:10.1016/j.bspc.2023.104810, section 2.5)."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, binary_cross_entropy_with_logits, log_softmax

_NOTHING = 1e-6


def class_loss(logits: Tensor, possible: Tensor) -> Tensor:
    """Eq. 1: cross entropy of (B, K) with the classes that each scan may show, (B, K) of 0 and 1.

    Where one class is possible this is eq. 1. Where several are, the probability that counts is that of any of them:
    -log(sum of p over the possible ones), the likelihood of a label that leaves open which.
    """
    log_p = log_softmax(logits, dim=1).masked_fill(possible == 0, -torch.inf)
    return -torch.logsumexp(log_p, dim=1).mean()


def presence_loss(logits: Tensor, present: Tensor) -> Tensor:
    """Binary cross entropy of every lesion (B, L) on its own; what is unknown (-1) counts for nothing."""
    known = present >= 0
    loss = binary_cross_entropy_with_logits(logits, present.clamp(min=0), reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)


def mask_loss(logits: Tensor, masks: Tensor, is_known: Tensor) -> Tensor:
    """Eqs. 2 to 4 of masks (B, N, H, W) in 0..1: binary cross entropy plus Dice loss.

    Scans whose masks are not known (``is_known`` (B,)) are left out.

    Eq. 3 is printed as a mean over pixels of 2 q t / (q^2 + t^2), which has no value wherever both are 0. We read its
    sums as those of the picture: 1 - 2 sum(q t) / (sum q^2 + sum t^2), with the squares below that it prints. A picture
    without any lesion has no Dice; its cross entropy speaks alone.
    """
    weight = is_known[:, None, None, None]
    entropy = binary_cross_entropy_with_logits(logits, masks, reduction="none") * weight
    found = torch.sigmoid(logits) * weight
    truth = masks * weight
    overlap = 2 * (found * truth).sum(dim=(2, 3))  # (B, N)
    both = found.square().sum(dim=(2, 3)) + truth.square().sum(dim=(2, 3))
    has_lesion = truth.sum(dim=(2, 3)) > 0
    dice = ((1 - overlap / both.clamp(min=_NOTHING)) * has_lesion).sum() / has_lesion.sum().clamp(min=1)
    n_pixels = is_known.sum().clamp(min=1) * logits[0].numel()
    return entropy.sum() / n_pixels + dice


def coarse(masks: Tensor, like: Tensor) -> Tensor:
    """Masks (B, N, H, W) in the size of the coarse ones: a cell is lesion where any of its pixels is."""
    return adaptive_max_pool2d(masks, like.shape[-2:])
