"""Scan lines: a line that was scanned beside its place agrees with its neighbours only when it is moved back."""

import torch
from torch.nn import functional

from core.networks.scan_lines import LINES_ABOVE, MOST_SHIFT_PX, LineBranch, line_features

N_SHIFTS = 2 * MOST_SHIFT_PX + 1


def striped(seed=1):
    """Vertical structure that is the same on every line, (1, 1, 32, 64)."""
    line = torch.randn(1, 1, 1, 64, generator=torch.Generator().manual_seed(seed))
    return functional.avg_pool1d(line[0], 3, stride=1, padding=1)[None].expand(1, 1, 32, 64).clone()


def best_shift(features, line):
    """Where a line agrees best with the one above it, in pixels to the right."""
    return int(features[0, :N_SHIFTS, line].argmax()) - MOST_SHIFT_PX


def test_lines_that_go_on_agree_best_unmoved_and_a_moved_line_where_it_was_moved_to():
    image = striped()
    image[:, :, 20] = image[:, :, 20].roll(4, dims=-1)
    features = line_features(image)
    assert features.shape == (1, len(LINES_ABOVE) * N_SHIFTS + 3, 32)
    assert [best_shift(features, line) for line in (10, 20, 21)] == [0, 4, -4]


def test_a_blink_shows_in_a_lines_mean_and_step():
    image = striped() + 1.0
    image[:, :, 12] = -2.0
    mean, spread, step = line_features(image)[0, -3:]
    assert int(mean.argmin()) == 12
    assert int(spread.argmin()) == 12
    assert set(step.topk(2).indices.tolist()) == {12, 13}


def test_a_flat_image_has_finite_features_and_every_line_gets_a_logit():
    flat = torch.zeros(2, 1, 32, 64)
    assert line_features(flat).isfinite().all()
    assert LineBranch(8).eval()(flat).shape == (2, 32)
