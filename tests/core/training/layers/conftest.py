"""One folder of B-scan phantoms and one tiny training on it, for all tests of the recipe `layers`."""

from collections.abc import Iterator

import pytest
from layer_folders import SMALL, write_phantom_folder

from core.training.layers import publish
from core.training.layers.recipe import layers_recipe
from core.training.layers.train import train_layers
from core.training.supervised.run import Request


@pytest.fixture(scope="session", autouse=True)
def _few_phantoms() -> Iterator[None]:
    """Two of each kind are judged: drawing them takes longer than such a training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "N_JUDGED_PHANTOMS", 8)
        yield


@pytest.fixture(scope="session")
def layer_folder(tmp_path_factory):
    """Three B-scans of each of eight subjects."""
    return write_phantom_folder(tmp_path_factory.mktemp("bscans") / "data")


@pytest.fixture(scope="session")
def layer_run(layer_folder, tmp_path_factory):
    """A finished tiny training."""
    out = tmp_path_factory.mktemp("layer-run") / "out"
    return train_layers(Request(layers_recipe(SMALL), layer_folder, out))
