"""Training: it learns on phantoms, resumes to the very same weights, and ends in weights that score."""

import json

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from core.commands import evaluate as evaluate_command
from core.commands import train as train_command
from core.errors import UsageError
from core.networks.octa_enface import build_octa_enface
from core.scoring.card import ModelCard
from core.scoring.registry import load_scorer, weights_path
from core.scoring.torch_backend.octa_enface import load_heads, load_network
from core.statistics import resampling
from core.training import train as training
from core.training import watches
from core.training.bank import render_phantoms
from core.training.fit import fit, load_initial_weights
from core.training.folder import read_folder
from core.training.recipe import RECIPES, Recipe, RefinerPlan, recipe_named
from core.training.samples import Bank
from core.vocabulary import ScanKind

pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = Recipe(
    name="octa-enface",
    n_steps=24,
    n_half_size_steps=24,
    pseudo_labels_at=None,
    warmup_steps=4,
    checkpoint_every=8,
    n_phantoms=6,
    n_refiner_steps=2,
)


@pytest.fixture(scope="module")
def phantoms():
    return Bank(phantoms=render_phantoms(6, seed=3))


def run(bank, out, recipe, **options):
    out.mkdir(exist_ok=True)
    return fit(bank, recipe, out, device=torch.device("cpu"), fingerprint="same", **options)


def test_a_short_training_learns_on_phantoms(phantoms, tmp_path):
    recipe = SHORT.model_copy(update={"shares": {"phantoms": 6}, "n_steps": 41, "n_half_size_steps": 41})
    run(phantoms, tmp_path, recipe)
    rows = [line.split(",") for line in (tmp_path / "losses.csv").read_text().splitlines()]
    total = [float(row[1]) for row in rows[1:]]
    assert rows[0][:2] == ["step", "total"]
    assert total[-1] < 0.75 * total[0]


def test_in_bfloat16_it_learns_as_well_with_other_figures(phantoms, tmp_path):
    recipe = SHORT.model_copy(update={"shares": {"phantoms": 6}, "n_steps": 21, "n_half_size_steps": 21})
    plain, half = (
        run(phantoms, tmp_path / "fp32", recipe),
        run(phantoms, tmp_path / "bf16", recipe.changed(in_bf16=True)),
    )
    losses = [
        [float(line.split(",")[1]) for line in (tmp_path / name / "losses.csv").read_text().splitlines()[1:]]
        for name in ("fp32", "bf16")
    ]
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    assert all(value.dtype == plain.state_dict()[name].dtype for name, value in half.state_dict().items())


def test_a_resumed_training_ends_in_the_very_same_weights(phantoms, tmp_path):
    recipe = SHORT.model_copy(update={"shares": {"phantoms": 2}, "n_steps": 4, "checkpoint_every": 2})
    whole = run(phantoms, tmp_path / "whole", recipe)

    class Interrupted(Exception):  # noqa: N818 - no error, a cut
        pass

    def cut(progress):
        if progress.done == recipe.n_steps:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(phantoms, tmp_path / "cut", recipe, report=cut)
    resumed = run(phantoms, tmp_path / "cut", recipe, resume=True)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)


def test_a_checkpoint_of_another_training_is_refused(phantoms, tmp_path):
    recipe = SHORT.model_copy(update={"shares": {"phantoms": 2}, "n_steps": 1})
    run(phantoms, tmp_path, recipe)
    with pytest.raises(UsageError, match="another recipe"):
        fit(phantoms, recipe, tmp_path, device=torch.device("cpu"), fingerprint="other", resume=True)


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="no recipe 'unet'") as caught:
        recipe_named("unet")
    assert "octa-enface" in caught.value.remedy


def test_the_recipe_that_the_command_has_by_this_name_is_that_of_the_bundled_weights():
    weights = weights_path(ScanKind.OCTA_ENFACE)
    card, recipe = ModelCard.beside(weights), recipe_named("octa-enface")
    heads = load_heads(weights)
    assert (card.version, card.recipe["seed"]) == (recipe.version, recipe.seed)
    assert heads is not None
    assert (heads.machine is not None, card.operating_point.grade_by_mean) == (recipe.with_machine,) * 2


@pytest.mark.slow
@pytest.mark.parametrize("with_machine", [False, True], ids=["forests", "and a kernel machine"])
def test_the_commands_train_and_evaluate_from_a_folder_to_weights_that_score(
    training_folder, tmp_path, monkeypatch, with_machine
):
    short = {"n_steps": 2, "n_half_size_steps": 2, "pseudo_labels_at": 1, "shares": {"faz": 1, "pool": 1}}
    tiny = SHORT.model_copy(update=short | {"with_machine": with_machine})
    monkeypatch.setitem(RECIPES, "octa-enface", tiny)
    for name in ("N_EVALUATION_PHANTOMS", "N_TUNING_PHANTOMS", "N_DRAWN_STRANGERS"):
        monkeypatch.setattr(training, name, 5)
    monkeypatch.setattr(resampling, "N_RESAMPLES", 20)
    out = tmp_path / "out"
    arguments = ["octa-enface", "--data", str(training_folder), "--out", str(out), "--device", "cpu"]
    monkeypatch.setattr(watches, "N_WATCHING_PHANTOMS", 4)
    monkeypatch.setattr(watches, "N_WATCHING_BATCHES", 1)
    arguments += ["--precision", "bf16", "--patience", "1"] if with_machine else []
    trained = CliRunner().invoke(train_command.command, arguments, catch_exceptions=False)
    assert trained.exit_code == 0
    weights = out / "octa-enface.safetensors"
    assert load_scorer(ScanKind.OCTA_ENFACE, model=str(weights), device="cpu").identity.version == tiny.version
    card = json.loads(weights.with_suffix(".json").read_text())
    assert card["recipe"]["in_bf16"] is with_machine
    watched = {"network": tiny.n_steps, "faz_refiner": tiny.n_refiner_steps} if with_machine else None
    assert card["recipe"].get("kept_steps") == watched
    assert (out / "validation.csv").is_file() is with_machine
    with Image.open(out / "curves.png") as curves:
        assert curves.width > 1000, "a panel for the network, another for its second look"
    assert len((out / "splits.csv").read_text().splitlines()) == 1 + len(read_folder(training_folder))
    figures = tmp_path / "figures.json"
    evaluated = CliRunner().invoke(
        evaluate_command.command,
        ["octa-enface", "--data", str(training_folder), "--model", str(weights), "--json", str(figures)],
        catch_exceptions=False,
    )
    assert evaluated.exit_code == 0
    assert json.loads(figures.read_text())["metrics"] == card["metrics"]
    with pytest.raises(UsageError, match="already holds a training"):
        CliRunner().invoke(train_command.command, arguments, catch_exceptions=False)
    again = tmp_path / "again"
    arguments = ["octa-enface", "--data", str(training_folder), "--out", str(again), "--device", "cpu"]
    kept = [*arguments, "--init", str(weights), "--keep-network"]
    assert CliRunner().invoke(train_command.command, kept, catch_exceptions=False).exit_code == 0
    # Everything that lies on the network follows from it and the folder, to the last bit.
    assert (again / weights.name).read_bytes() == weights.read_bytes()
    assert json.loads((again / weights.name).with_suffix(".json").read_text())["metrics"] == card["metrics"]


@pytest.mark.slow
def test_the_second_look_alone_is_trained_on_a_network_that_stays(training_folder, tmp_path, monkeypatch):
    plan = RefinerPlan(
        channels=(8, 8), fold=2, region_px=64, n_phantoms=4, wide_shares={"faz": 0.5}, is_varied_more=True, in_bf16=True
    )
    monkeypatch.setitem(RECIPES, "octa-enface", SHORT.model_copy(update={"finder": plan, "n_finder_steps": 2}))
    for name in ("N_EVALUATION_PHANTOMS", "N_TUNING_PHANTOMS", "N_DRAWN_STRANGERS"):
        monkeypatch.setattr(training, name, 5)
    monkeypatch.setattr(resampling, "N_RESAMPLES", 20)
    out = tmp_path / "out"
    arguments = ["octa-enface", "--data", str(training_folder), "--out", str(out), "--device", "cpu"]
    looked = [*arguments, "--init", "bundled", "--keep-network", "--second-look"]
    assert CliRunner().invoke(train_command.command, looked, catch_exceptions=False).exit_code == 0
    before, after = (
        load_network(path, ModelCard.beside(path), torch.device("cpu"))
        for path in (weights_path(ScanKind.OCTA_ENFACE), out / "octa-enface.safetensors")
    )
    assert (after.shape.finder_px, after.shape.finder_fold, after.shape.finder_channels) == (64, 2, (8, 8))
    assert not torch.equal(after.faz_refiner.head.weight, before.faz_refiner.head.weight)
    again = ("faz_refiner.", "faz_finder.")
    kept = {name: value for name, value in after.state_dict().items() if not name.startswith(again)}
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in kept.items())
    with pytest.raises(UsageError, match="already holds a training"):
        CliRunner().invoke(train_command.command, looked, catch_exceptions=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep-network"], "keeps the network of --init"),
        (["--keep-network", "--init", "bundled", "--steps", "5"], "has no --steps"),
        (["--keep-network", "--init", "bundled", "--patience", "5"], "has no --patience"),
        (["--keep-network", "--init", "bundled", "--resume"], "has no --resume"),
        (["--init", "bundled", "--second-look"], "has no --second-look"),
        (["--keep-network", "--init", "nowhere.safetensors"], "nowhere"),
    ],
    ids=["no network", "steps", "nothing to be patient with", "nothing to resume", "second look alone", "no such file"],
)
def test_a_network_is_kept_only_where_one_is_given_and_nothing_else_asked(options, message, tmp_path):
    arguments = ["octa-enface", "--data", str(tmp_path), "--out", str(tmp_path / "out"), *options]
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(train_command.command, arguments, catch_exceptions=False)


def test_a_training_may_begin_with_the_bundled_weights():
    network = build_octa_enface()
    load_initial_weights(network, weights_path(ScanKind.OCTA_ENFACE))
    random = build_octa_enface()
    assert not torch.equal(network.faz_head.weight, random.faz_head.weight)
    scorer = load_scorer(ScanKind.OCTA_ENFACE, device="cpu")
    assert torch.equal(network.faz_head.weight, scorer.network.faz_head.weight)
