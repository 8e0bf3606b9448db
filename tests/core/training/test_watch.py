"""Early stopping of the joint network: by the tuning part, stretch by stretch, the best weights kept, resumable."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.networks.octa_enface import build_octa_enface
from core.training import watches
from core.training.bank import cached_phantoms, fill_bank, render_phantoms
from core.training.fit import fit, network_measure
from core.training.folder import read_folder
from core.training.recipe import RECIPES, Recipe
from core.training.samples import Bank
from core.training.splits import Part, split
from core.training.watch import Check, Watch
from core.training.watches import Watches

pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = Recipe(
    name="octa-enface",
    n_steps=24,
    n_half_size_steps=24,
    pseudo_labels_at=None,
    warmup_steps=2,
    average_decay=0.5,
    checkpoint_every=2,
    shares={"phantoms": 2},
    patience=6,
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def banks():
    """Phantoms to learn from, and others that watch."""
    return Bank(phantoms=render_phantoms(4, seed=3)), Bank(phantoms=render_phantoms(4, seed=4))


def watched(banks, out, recipe, **options):
    """The trained network and the watch that it had."""
    out.mkdir(exist_ok=True)
    learned, watching = banks
    watch = Watch(
        network_measure(watching, recipe, CPU, n_batches=2),
        recipe.patience,
        best=out / "best.safetensors",
        log=out / "validation.csv",
        compared_from=recipe.n_half_size_steps if recipe.n_half_size_steps < recipe.n_steps else 0,
    )
    return fit(learned, recipe, out, device=CPU, fingerprint="same", watch=watch, **options), watch


def steps_of(log):
    with Path(log).open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def test_a_training_that_gains_goes_to_its_last_step(banks, tmp_path):
    _, watch = watched(banks, tmp_path, SHORT)
    assert watch.checks[-1].step == SHORT.n_steps
    assert watch.kept.step > SHORT.n_steps / 2
    assert watch.kept.loss < 0.8 * watch.checks[0].loss


def test_a_training_that_gains_nothing_stops_early_and_gives_its_best_weights(banks, tmp_path):
    hasty = SHORT.model_copy(update={"peak_learning_rate": 0.5, "n_steps": 60, "n_half_size_steps": 60})
    network, watch = watched(banks, tmp_path, hasty)
    assert watch.checks[-1].step < hasty.n_steps
    assert watch.checks[-1].step - watch.kept.step == hasty.patience
    assert watch.kept.loss < watch.checks[-1].loss
    again = network_measure(banks[1], hasty, CPU, n_batches=2)(network, watch.kept.step)
    assert again == pytest.approx(watch.kept.loss, abs=1e-6)
    stored = load_file(tmp_path / "best.safetensors")
    assert all(torch.equal(stored[name], value) for name, value in network.state_dict().items())
    assert steps_of(tmp_path / "validation.csv") == [check.step for check in watch.checks]


STRETCHES = SHORT.model_copy(update={"n_steps": 24, "n_half_size_steps": 12, "patience": 4})


def dips(_network, step):
    """Best after 4 steps at half size and after 16 at full size; nothing is gained from then on."""
    return 1 + abs(step - 4) / 10 if step <= STRETCHES.n_half_size_steps else 2 + abs(step - 16) / 10


def stretched(banks, out, kind=Watch, **options):
    """A training of two stretches whose losses are known beforehand, and its watch."""
    out.mkdir(exist_ok=True)
    watch = kind(dips, STRETCHES.patience, out / "best.safetensors", out / "v.csv", STRETCHES.n_half_size_steps)
    return fit(banks[0], STRETCHES, out, device=CPU, fingerprint="same", watch=watch, **options), watch


@pytest.fixture(scope="module")
def uncut(banks, tmp_path_factory):
    return stretched(banks, tmp_path_factory.mktemp("uncut"))


def test_a_stretch_that_gains_nothing_gives_way_to_the_next_at_its_own_first_step(uncut):
    _, watch = uncut
    assert [check.step for check in watch.checks] == [2, 4, 6, 8, 14, 16, 18, 20]
    assert watch.kept.step == 16, "weights that learned at half the size are not those that are kept"


@pytest.mark.parametrize("cut_at", [3, 9, 17], ids=["early", "after the first stretch", "in the second"])
def test_a_watched_training_that_was_cut_ends_in_the_very_same_weights(banks, uncut, tmp_path, cut_at):
    whole, watch = uncut

    class Interrupted(Exception):  # noqa: N818 - no error, a cut
        pass

    class Cut(Watch):
        def look(self, network, step):
            super().look(network, step)
            if step > cut_at:
                raise Interrupted

    with pytest.raises(Interrupted):
        stretched(banks, tmp_path, Cut)
    resumed, again = stretched(banks, tmp_path, resume=True)
    assert again.checks == watch.checks
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)


KILLED = """
import sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_watch
from core.training.bank import render_phantoms
from core.training.samples import Bank
torch.set_num_threads(1)
test_watch.stretched((Bank(phantoms=render_phantoms(4, seed=3)), None), Path(sys.argv[2]))
"""


def test_a_watched_training_that_was_killed_ends_in_the_very_same_weights(banks, uncut, tmp_path):
    whole, watch = uncut
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path)])
    until = time.monotonic() + 120
    while not (tmp_path / "checkpoint.safetensors").is_file() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    resumed, again = stretched(banks, tmp_path, resume=True)
    assert again.checks == watch.checks
    assert all(torch.equal(resumed.state_dict()[name], value) for name, value in whole.state_dict().items())


def test_a_finished_watched_training_is_resumed_to_its_best_weights(banks, tmp_path):
    first, watch = watched(banks, tmp_path, SHORT)
    again, resumed = watched(banks, tmp_path, SHORT, resume=True)
    assert resumed.checks == watch.checks
    assert all(torch.equal(again.state_dict()[name], value) for name, value in first.state_dict().items())


def test_losses_that_are_no_numbers_are_never_kept(tmp_path):
    losses = iter([2.0, float("nan"), 1.0, float("nan"), 1.5, 1.2])
    watch = Watch(lambda _network, _step: next(losses), 3, tmp_path / "best.safetensors", tmp_path / "v.csv")
    network = build_octa_enface()
    ends = []
    for step in range(1, 7):
        watch.look(network, step)
        ends.append(watch.is_over(0, 10))
    assert watch.kept == Check(3, 1.0)
    assert ends == [False, False, False, False, False, True]
    assert network.training, "looking leaves the network as it was"


def test_the_named_recipes_watch_nothing_and_say_nothing_of_it():
    for recipe in RECIPES.values():
        assert recipe.patience is None
        assert not {"patience", "kept_steps"} & set(recipe.model_dump())
        assert recipe.changed(patience=300).fingerprint([]) != recipe.fingerprint([])


def test_what_watches_shares_no_subject_and_no_near_duplicate_with_what_is_learned(
    training_folder, tmp_path, monkeypatch
):
    seen = {}

    def noted(images, *, phantoms, part):
        seen["groups"] = {item.group for item in images if item.part is part}
        seen["phantoms"] = [phantom.image.tobytes() for phantom in phantoms]
        return fill_bank(images, phantoms=phantoms, part=part)

    monkeypatch.setattr(watches, "fill_bank", noted)
    monkeypatch.setattr(watches, "N_WATCHING_PHANTOMS", 3)
    images = split(read_folder(training_folder), seed=SHORT.split_seed)
    watching = Watches(SHORT, images, tmp_path, CPU)
    assert watching.of_network() is not None
    trained = {item.group for item in images if item.part is not Part.TUNE}
    assert seen["groups"]
    assert not seen["groups"] & trained
    learned = cached_phantoms(tmp_path / "phantoms.npz", 3, seed=SHORT.seed)
    assert not set(seen["phantoms"]) & {canvas.image.tobytes() for canvas in learned}
    assert Watches(SHORT.model_copy(update={"patience": None}), images, tmp_path, CPU).of_network() is None
