"""Closed-form Grad-CAM equals Grad-CAM by a backward pass, once both are normalised."""

import numpy as np
import pytest
import torch

from core.networks.octa_enface import build_octa_enface
from core.scoring.torch_backend.grad_cam import class_maps
from core.vocabulary import CoipsGrade


def by_backward_pass(network, image, grade):
    """Selvaraju et al. 2017, equations 1 and 2 before the ReLU, on the encoder's last map."""
    features = network.encoder(image)[-1].detach().requires_grad_()
    logits = network.grade_head(features.mean(dim=(2, 3)))
    (gradient,) = torch.autograd.grad(logits[:, grade].sum(), features)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * features).sum(dim=1)


@pytest.mark.parametrize("grade", list(CoipsGrade))
def test_closed_form_grad_cam_equals_the_backward_pass(grade):
    torch.manual_seed(3)
    network = build_octa_enface().eval()
    image = torch.randn(2, 1, 128, 128)
    expected = by_backward_pass(network, image, grade).detach().numpy()
    with torch.inference_mode():
        found = class_maps(network(image).features, network.grade_head.weight)[:, grade].numpy()
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one / np.abs(one).max(), other / np.abs(other).max(), atol=1e-5)
