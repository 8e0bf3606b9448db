"""Two sets of images alike give small distances; a set made darker or blurred is named by the right statistic."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy import ndimage

from core.commands.compare import command
from core.errors import UsageError
from core.measures.appearance import APPEARANCE_NAMES
from core.usecases.compare_looks import compare_looks, measure_looks, phantoms, read_images


@pytest.fixture(scope="module")
def images():
    return list(phantoms(16, 3, "octa500-3mm"))


@pytest.fixture(scope="module")
def looks(images):
    return measure_looks(images)


def rows(comparison):
    return {row.name: row for row in comparison.statistics}


def test_a_set_against_itself_has_no_distance_and_every_median_within(looks):
    itself = compare_looks(looks, looks)
    assert itself.mean_distance == 0.0
    assert itself.n_within == len(APPEARANCE_NAMES) == looks.shape[1]
    assert np.isfinite(looks).all()


def test_brighter_images_differ_in_their_levels_and_not_in_their_lines(images, looks):
    brighter = rows(compare_looks(looks, measure_looks([np.minimum(i, 195) + np.uint8(60) for i in images])))
    assert not brighter["level_p50"].is_within
    assert brighter["line_correlation"].is_within


def test_blurred_images_differ_in_the_finest_band_and_in_the_correlation_of_lines(images, looks):
    blurred = rows(compare_looks(looks, measure_looks([ndimage.gaussian_filter(i, 2.0) for i in images])))
    assert blurred["spectrum_band_6"].distance > 3.0
    assert not blurred["spectrum_band_6"].is_within
    assert blurred["line_correlation"].other_median > blurred["line_correlation"].high


def test_the_command_compares_a_folder_and_writes_the_figures(images, tmp_path):
    for number, image in enumerate(images[:8]):
        Image.fromarray(image).save(tmp_path / f"s{number}.png")
    found = CliRunner().invoke(
        command, [str(tmp_path), str(tmp_path), "--pattern", "s*", "--count", "8", "--json", str(tmp_path / "f.json")]
    )
    assert found.exit_code == 0, found.output
    assert "16 of 16 medians within" in found.output
    record = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in record["statistics"]] == list(APPEARANCE_NAMES)


def test_a_folder_with_too_few_images_and_an_unknown_family_are_refused_in_words(tmp_path):
    with pytest.raises(UsageError, match="holds 0 images"):
        read_images(tmp_path, "*", at_most=8)
    with pytest.raises(UsageError, match="no folder"):
        read_images(tmp_path / "none", "*", at_most=8)
    with pytest.raises(UsageError, match="No family"):
        next(phantoms(1, 0, "unheard-of"))
