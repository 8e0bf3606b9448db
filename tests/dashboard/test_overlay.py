"""Overlays lie where the masks do, and their colours can be told apart."""

from io import BytesIO
from itertools import combinations, pairwise

import numpy as np
from PIL import Image

from core.scoring.lanes.layer_scheme import PALETTE, layers_png
from core.vocabulary import OCTA_ARTIFACTS, ONH_ARTIFACTS, ArtifactType
from dashboard.overlay import (
    ARTIFACT_COLOURS,
    CAM_COLOURS,
    MASK_ALPHA,
    shrink,
    tint_artifacts,
    tint_cam,
    tint_layers,
    trace_outline,
)


def png(pixels: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def rgba(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)).convert("RGBA"))


def square(size: int = 40, start: int = 10, stop: int = 30) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[start:stop, start:stop] = 255
    return mask


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])


def lightness(colour: str) -> float:
    return float(rgb(colour) @ [0.2126, 0.7152, 0.0722])


def test_a_tint_covers_its_mask_and_nothing_else():
    drawn = rgba(tint_artifacts({ArtifactType.MOTION: png(square()), ArtifactType.SHADOW: None}, 512))
    assert np.array_equal(drawn[..., 3] > 0, square() > 0)
    assert np.array_equal(drawn[20, 20], [*rgb(ARTIFACT_COLOURS[ArtifactType.MOTION]), MASK_ALPHA])


def test_where_two_masks_overlap_the_later_type_is_on_top():
    drawn = rgba(
        tint_artifacts({ArtifactType.MOTION: png(square()), ArtifactType.SHADOW: png(square(start=20, stop=40))}, 512)
    )
    assert np.array_equal(drawn[25, 25][:3], rgb(ARTIFACT_COLOURS[ArtifactType.SHADOW]))


def test_nothing_marked_is_a_transparent_picture():
    assert rgba(tint_artifacts(dict.fromkeys(ArtifactType), 512))[..., 3].max() == 0


def test_a_heat_map_is_clear_at_zero_and_bright_at_the_peak():
    drawn = rgba(tint_cam(png(np.linspace(0, 255, 256).astype(np.uint8)[None, :].repeat(4, 0)), 512))
    assert drawn[0, 0, 3] == 0
    assert np.array_equal(drawn[0, -1][:3], rgb(CAM_COLOURS[-1]))
    assert np.all(np.diff(drawn[0, :, 3].astype(int)) >= 0)


def test_an_outline_is_the_mask_s_rim():
    drawn = rgba(trace_outline(png(square()), 512))[..., 3] > 0
    assert drawn.sum() == 4 * 19
    assert not drawn[20, 20]


def test_reducing_keeps_the_shape_and_never_enlarges():
    assert Image.open(BytesIO(shrink(png(np.zeros((100, 200))), 64))).size == (64, 32)
    assert Image.open(BytesIO(shrink(png(np.zeros((10, 20))), 64))).size == (20, 10)


def test_the_colour_map_grows_lighter_all_the_way():
    assert all(lightness(dark) < lightness(light) for dark, light in pairwise(CAM_COLOURS))


def test_artifact_colours_differ_for_a_person_who_sees_no_red_or_green():
    # Blue-yellow and lightness are what such a person has left (Okabe & Ito's set is made for it).
    for together in (OCTA_ARTIFACTS, ONH_ARTIFACTS):
        for first, second in combinations([ARTIFACT_COLOURS[kind] for kind in together], 2):
            blue = abs(rgb(first)[2] - rgb(second)[2])
            assert blue + abs(lightness(first) - lightness(second)) > 60


def test_layers_keep_their_own_colours_and_their_background_is_clear():
    labels = np.zeros((40, 60), np.uint8)
    labels[10:20] = 1
    labels[20:30] = 7
    drawn = np.asarray(Image.open(BytesIO(tint_layers(layers_png(labels), 60))))
    assert drawn.shape == (40, 60, 4)
    assert tuple(drawn[15, 5, :3]) == PALETTE[1]
    assert tuple(drawn[25, 5, :3]) == PALETTE[7]
    assert (drawn[labels > 0, 3] == MASK_ALPHA).all()
    assert not drawn[labels == 0, 3].any()
    assert Image.open(BytesIO(tint_layers(layers_png(labels), 30))).size == (30, 20)
