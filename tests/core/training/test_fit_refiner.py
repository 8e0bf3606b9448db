"""The second look at the FAZ learns to correct the first one, and resumes to the very same weights."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.scoring.lanes.faz_region import FazDetail, FazRegion, put_back, region_input
from core.statistics.overlap import dice
from core.training.faz_samples import ZonedScan, draw_regions
from core.training.fit_refiner import fit_refiner, zoned_phantoms
from core.training.recipe import Recipe, RefinerPlan

FINER = RefinerPlan(
    channels=(8, 8), fold=2, region_px=64, n_phantoms=3, wide_shares={"faz": 0.5}, is_varied_more=True, in_bf16=True
)
pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = Recipe(
    name="octa-enface",
    n_refiner_steps=60,
    refiner_warmup_steps=4,
    refiner_peak_learning_rate=6e-3,
    refiner_average_decay=0.8,
    refiner_shares={"faz": 3, "phantoms": 0},
)


@pytest.fixture(scope="module")
def scans():
    """Phantoms whose coarse map is a zone grown by a quarter of its radius."""
    found = []
    for seed in range(12):
        phantom = render_octa(OctaPhantomSpec(size_px=160), seed)
        radius = np.sqrt(phantom.faz_mask.sum() / np.pi)
        grown = ndimage.distance_transform_edt(~phantom.faz_mask) <= radius / 4
        found.append(ZonedScan(phantom.image, phantom.faz_mask, grown.astype(np.uint8) * 255))
    return found


def run(scans, out, recipe, **options):
    out.mkdir(exist_ok=True)
    return fit_refiner(scans, [], recipe, out, device=torch.device("cpu"), fingerprint="same", **options)


def test_it_finds_a_better_outline_than_the_coarse_map_of_scans_it_never_saw(scans, tmp_path):
    refiner = run(scans[:9], tmp_path, SHORT)
    coarse, refined = [], []
    for scan in scans[9:]:
        region = FazRegion.around(scan.coarse > 127)
        with torch.inference_mode():
            seen = torch.from_numpy(region_input(scan.image, scan.coarse, region)[None])
            probability = torch.sigmoid(refiner(seen))[0].numpy()
        coarse.append(dice(scan.coarse > 127, scan.zone))
        refined.append(dice(put_back(FazDetail(region, probability), scan.zone.shape) >= 0.5, scan.zone))
    rows = (tmp_path / "faz_refiner_losses.csv").read_text().splitlines()
    assert rows[0] == "step,loss"
    assert float(rows[-1].split(",")[1]) < 0.7 * float(rows[1].split(",")[1])
    assert np.mean(refined) > np.mean(coarse) + 0.03


@pytest.mark.parametrize("plan", [RefinerPlan(), FINER], ids=["as in 2.4", "finer"])
def test_a_resumed_fit_ends_in_the_very_same_weights(scans, tmp_path, plan):
    recipe = SHORT.model_copy(update={"n_refiner_steps": 4, "checkpoint_every": 2, "refiner": plan})
    whole = run(scans, tmp_path / "whole", recipe)

    class Interrupted(Exception):  # noqa: N818 - no error, a cut
        pass

    def cut(progress):
        if progress.done == recipe.n_refiner_steps:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(scans, tmp_path / "cut", recipe, report=cut)
    resumed = run(scans, tmp_path / "cut", recipe, resume=True)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("plan", [RefinerPlan(), FINER], ids=["as in 2.4", "finer"])
def test_a_batch_is_the_same_whenever_it_is_drawn(scans, plan):
    shares = {"faz": 3, "phantoms": 1}
    first, again = (draw_regions(scans, scans, shares, plan, seed=1, step=7) for _ in range(2))
    assert (first.regions == again.regions).all()
    assert first.regions.shape == (4, 2, plan.region_px, plan.region_px)
    assert first.zones.min() >= 0
    assert first.zones.max() <= 1


def test_without_any_zone_there_is_no_refiner(tmp_path):
    assert run([], tmp_path, SHORT) is None


def test_a_wide_sample_shows_the_middle_of_the_scan_whatever_the_size_of_its_zone(scans):
    always = FINER.model_copy(update={"wide_shares": {"faz": 1.0}})
    batch = draw_regions(scans, [], {"faz": 40, "phantoms": 0}, always, seed=1, step=1)
    narrow = draw_regions(scans, [], {"faz": 40, "phantoms": 0}, RefinerPlan(), seed=1, step=1)
    wide_shares, narrow_shares = batch.zones.mean((1, 2)), narrow.zones.mean((1, 2))
    assert wide_shares.mean() < 0.8 * narrow_shares.mean()
    assert wide_shares.std() / wide_shares.mean() > 1.5 * narrow_shares.std() / narrow_shares.mean()


def test_phantoms_of_a_plan_are_its_own_at_their_own_size():
    phantoms = zoned_phantoms(FINER, [], seed=1)
    assert len(phantoms) == FINER.n_phantoms
    assert {image.shape for image, _ in phantoms} == {(304, 304)}
    assert any(zone.any() for _, zone in phantoms)
