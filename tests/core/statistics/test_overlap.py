"""Overlap and boundary distances of shapes whose values can be worked out by hand."""

import numpy as np
import pytest

from core.statistics.overlap import boundary_distances_px, dice, mask_overlap


def box(top, left, height, width, side=40):
    mask = np.zeros((side, side), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def disc(radius, side=200):
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    return np.hypot(rows, columns) <= radius


def test_a_half_covered_mask_has_the_figures_worked_out_by_hand():
    # 100 pixels each, 50 in common: Dice 100/200, Jaccard 50/150.
    found = mask_overlap(box(5, 5, 10, 10), box(5, 10, 10, 10))
    assert (found.dice, found.precision, found.recall) == (0.5, 0.5, 0.5)
    assert found.jaccard == pytest.approx(1 / 3)


def test_precision_and_recall_know_which_mask_is_the_truth():
    found = mask_overlap(box(5, 5, 10, 20), box(5, 5, 10, 10))
    assert (found.precision, found.recall) == (0.5, 1.0)


def test_a_mask_beside_itself_by_three_pixels_has_distances_up_to_three():
    mean, worst = boundary_distances_px(box(10, 10, 10, 1), box(10, 13, 10, 1))
    assert (mean, worst) == (3.0, 3.0)
    assert boundary_distances_px(box(3, 3, 9, 9), box(3, 3, 9, 9)) == (0.0, 0.0)


def test_concentric_discs_are_as_far_apart_as_their_radii_differ():
    mean, worst = boundary_distances_px(disc(40), disc(46))
    assert mean == pytest.approx(6, abs=0.3)
    assert worst == pytest.approx(6, abs=0.8)


def test_the_95th_percentile_forgives_a_spike_that_the_maximum_would_not():
    spiked = disc(40)
    spiked[100, 139:180] = True
    mean, worst = boundary_distances_px(spiked, disc(40))
    assert mean < 5
    assert worst > mean
    assert worst < 39  # the spike's tip lies 40 px outside


def test_nothing_found_has_no_precision_and_no_distance_and_nothing_there_and_found_is_perfect():
    empty, full = np.zeros((40, 40), bool), box(5, 5, 10, 10)
    missed = mask_overlap(empty, full)
    assert (missed.dice, missed.precision, missed.recall, missed.mean_surface_px) == (0.0, None, 0.0, None)
    nothing = mask_overlap(empty, empty)
    assert (nothing.dice, nothing.jaccard, nothing.recall) == (1.0, 1.0, None)
    assert dice(empty, empty) == 1.0


def test_masks_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="scale one first"):
        mask_overlap(np.ones((4, 4), bool), np.ones((5, 5), bool))
