"""A folder of small B-scan phantoms as `octaudit phantom --kind bscan` writes it, for the tests of the recipe."""

from pathlib import Path

import pytest

from core.usecases.write_bscan_phantoms import TRAINING_FOLDER, write_bscan_phantoms
from core.usecases.write_phantoms import PhantomOrder


@pytest.fixture(scope="session")
def bscan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 phantoms of 96 rows, ten of each class, with a manifest for training."""
    folder = tmp_path_factory.mktemp("bscans")
    order = PhantomOrder(folder, 40, 5, 96, study="S", site="S1", device="D1", technician="T1")
    assert write_bscan_phantoms(order, lambda _: None) == 40
    return folder / TRAINING_FOLDER
