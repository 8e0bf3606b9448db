"""Grad-CAM without a backward pass, for networks whose pooling is followed directly by one linear layer.

There the gradient of a class's logit with respect to the last feature map is the class's weight over H x W,
everywhere the same; so Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2) equals the class
activation map (Zhou et al. 2016, arXiv:1512.04150, equation 2) up to the factor 1/(H W), which normalising removes.
"""

import torch
from torch import Tensor


def class_maps(features: Tensor, class_weights: Tensor) -> Tensor:
    """Features (B, C, H, W) weighed by a linear layer's weights (K, C): maps (B, K, H, W), before clipping at zero."""
    return torch.einsum("bchw,kc->bkhw", features, class_weights)
