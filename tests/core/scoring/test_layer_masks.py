"""Label maps: joined from masks, repaired, resized without inventing a class, told in another scheme, saved."""

import io

import numpy as np
from PIL import Image

from core.scoring.lanes.layer_mask import class_shares, first_run, join_masks, resize_labels
from core.scoring.lanes.layer_scheme import (
    BOUNDARY_NAMES,
    CLASS_NAMES,
    PALETTE,
    in_scheme,
    labels_of_boundaries,
    layers_png,
    n_classes,
)
from core.vocabulary import LayerScheme


def column(*values):
    return np.array(values, np.uint8)[:, None]


def test_a_layer_s_pixels_outside_the_retina_become_background():
    retina = column(0, 1, 1, 1, 1, 0, 0) > 0
    photoreceptor = column(0, 0, 1, 1, 0, 0, 0) > 0
    pigment = column(0, 0, 0, 0, 1, 1, 0) > 0  # one row sticks out below the retina
    joined = join_masks(retina, [photoreceptor, pigment])
    assert joined[:, 0].tolist() == [0, 1, 2, 2, 3, 0, 0]


def test_once_a_column_has_left_the_retina_the_rest_is_background():
    mask = column(0, 1, 1, 0, 1, 0) > 0
    assert first_run(mask)[:, 0].tolist() == [False, True, True, False, False, False]


def test_resizing_never_makes_a_class_between_two_others():
    labels = np.repeat(np.array([0, 1, 3, 7, 0], np.uint8), 20)[:, None].repeat(40, axis=1)
    for height, width in ((33, 17), (61, 40), (250, 90)):
        resized = resize_labels(labels, height, width)
        assert resized.shape == (height, width)
        assert set(np.unique(resized).tolist()) <= {0, 1, 3, 7}
        assert (np.diff(resized[:, 0].astype(int)) >= 0)[: int(height * 0.75)].all()


def test_the_shares_of_a_cell_say_where_in_it_the_border_lies():
    labels = np.zeros((8, 4), np.uint8)
    labels[3:] = 1  # the border lies a quarter into the second of four cells from below
    shares = class_shares(labels, 2, 4, 4)
    assert shares[1, :, 0].tolist() == [0.0, 0.5, 1.0, 1.0]
    assert np.allclose(shares.sum(axis=0), 1.0)


def test_seven_layers_can_be_told_as_five_classes_or_as_the_retina():
    labels = np.arange(8, dtype=np.uint8)[None]
    assert in_scheme(labels, LayerScheme.FIVE)[0].tolist() == [0, 1, 1, 1, 1, 1, 2, 4]
    assert in_scheme(labels, LayerScheme.RETINA)[0].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    assert in_scheme(labels, LayerScheme.DUKE_7) is labels


def test_every_scheme_has_a_boundary_per_class_and_a_colour_for_each():
    for scheme in LayerScheme:
        assert len(BOUNDARY_NAMES[scheme]) == len(CLASS_NAMES[scheme]) == n_classes(scheme)
        assert n_classes(scheme) <= len(PALETTE)
    assert len(set(PALETTE)) == len(PALETTE)


def test_labels_follow_boundaries_and_a_column_without_retina_stays_background():
    boundary = np.array([[1.5, np.nan], [3.0, np.nan], [4.2, np.nan]], np.float32)
    labels = labels_of_boundaries(boundary, 7)
    assert labels[:, 0].tolist() == [0, 0, 1, 2, 2, 0, 0]
    assert not labels[:, 1].any()


def test_the_saved_map_is_an_indexed_picture_whose_values_are_the_classes():
    labels = np.arange(8, dtype=np.uint8)[:, None].repeat(5, axis=1)
    with Image.open(io.BytesIO(layers_png(labels))) as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), labels)
        assert picture.convert("RGB").getpixel((0, 7)) == PALETTE[7]
