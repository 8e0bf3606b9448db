"""A folder of ONH phantoms to train on, and the smallest recipe that learns from it."""

import pytest
import torch

from core.training.onh.recipe import BUNDLED_SETTINGS, onh_recipe
from core.usecases.write_onh_phantoms import write_onh_phantoms
from core.usecases.write_phantoms import PhantomOrder


@pytest.fixture(scope="session")
def onh_folder(tmp_path_factory):
    """48 phantoms of 48 subjects, with label maps, as `octaudit phantom --kind onh-enface` writes them."""
    folder = tmp_path_factory.mktemp("onh")
    order = PhantomOrder(
        folder=folder, count=48, seed=11, size_px=64, study="DEMO", site="S1", device="D1", technician="T1"
    )
    write_onh_phantoms(order, lambda _: None)
    return folder / "training"


@pytest.fixture(scope="session")
def tiny_recipe():
    """64 px, an eighth of ResNet-18's width, two epochs."""
    return onh_recipe(
        BUNDLED_SETTINGS
        | {"encoder_channels": (8, 16, 24, 32), "decoder_channels": 64, "image_px": 64, "epochs": 2, "cosine_epochs": 2}
    )


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
