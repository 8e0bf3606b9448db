"""FAZ labels that the network gives itself: plausible ones are taken softly, others are not known."""

import numpy as np
import pytest
import torch

from core.networks.octa_enface import build_octa_enface
from core.training.pseudo_labels import label_pool, plausible_faz, restore_labels, store_labels
from core.training.samples import FAZ_CHANNEL, N_CHANNELS, Canvas

ROWS, COLUMNS = np.mgrid[0:256, 0:256]


def disc(radius, *, row=128, column=128, inside=0.98):
    distance = np.hypot(ROWS - row, COLUMNS - column)
    return (inside / (1 + np.exp((distance - radius) / 1.5))).astype(np.float32)


def test_a_round_dark_middle_is_plausible_with_its_soft_edge():
    mask = plausible_faz(disc(24))
    assert mask is not None
    assert mask[128, 128]
    assert mask.sum() > (disc(24) >= 0.5).sum()
    assert not mask[:60].any()


@pytest.mark.parametrize(
    "probability",
    [
        np.zeros((256, 256), np.float32),
        disc(2),
        disc(120),
        disc(24, row=50),
        disc(24, inside=0.6),
        np.where(np.minimum(abs(ROWS - 128), abs(COLUMNS - 128)) < 5, disc(50), 0).astype(np.float32),  # a cross
    ],
    ids=["nothing", "a speck", "half the image", "far from the middle", "unsure", "ragged"],
)
def test_what_cannot_be_a_faz_is_not_known(probability):
    assert plausible_faz(probability) is None


def test_only_the_largest_region_is_taken():
    mask = plausible_faz(np.maximum(disc(24), disc(10, row=200)))
    assert mask is not None
    assert not mask[190:].any()


class Drawing(torch.nn.Module):
    """Says of every image that the FAZ is a disc, with logits at half the canvas."""

    def forward(self, image):
        network = build_octa_enface().eval()
        logits = torch.from_numpy(np.log(disc(24) / (1 - disc(24) + 1e-6) + 1e-6)[::2, ::2])
        return network(image)._replace(faz=logits.expand(len(image), -1, -1))


def test_labels_are_given_stored_and_restored(tmp_path):
    def pool():
        return [
            Canvas(
                np.full((256, 256), 60 + index, np.uint8),
                np.zeros((N_CHANNELS, 256, 256), np.uint8),
                np.zeros(N_CHANNELS, bool),
                "pool",
            )
            for index in range(2)
        ]

    first, again = pool(), pool()
    assert label_pool(Drawing(), first, device=torch.device("cpu")) == 2
    assert all(canvas.known[FAZ_CHANNEL] and canvas.known.sum() == 1 for canvas in first)
    assert first[0].masks[FAZ_CHANNEL, 128, 128] > 240
    store_labels(first, tmp_path / "labels.npz")
    restore_labels(again, tmp_path / "labels.npz")
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.masks, other.masks)
        np.testing.assert_array_equal(one.known, other.known)
