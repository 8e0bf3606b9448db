"""Folders of labelled phantoms, shared by the tests of the training on them."""

import numpy as np
import pytest
import torch
from labelled_folders import save, write_manifest

from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec

SIZE_PX = 64
SPOILT = {0: {"low_signal": 0.95, "motion": 0.9}, 1: {"low_signal": 0.3, "shadow": 0.3}, 2: {}}
"""Artifacts that make a phantom of each grade."""


@pytest.fixture(scope="session")
def graded_folder(tmp_path_factory):
    """36 phantoms of 18 subjects, 12 of each grade."""
    root, rows = tmp_path_factory.mktemp("graded"), []
    for index in range(36):
        grade = index % 3
        phantom = render_octa(OctaPhantomSpec(size_px=SIZE_PX, **SPOILT[grade]), 300 + index)
        save(root / "images" / f"{index}.png", phantom.image)
        rows.append({"file": f"images/{index}.png", "grade": grade, "subject": f"S{index // 2}", "slab": "superficial"})
    write_manifest(root, rows)
    return root


@pytest.fixture(scope="session")
def masked_folder(tmp_path_factory):
    """18 phantoms of 18 subjects with their FAZ masks, the field stated."""
    root, rows = tmp_path_factory.mktemp("masked"), []
    for index in range(18):
        phantom = render_octa(OctaPhantomSpec(size_px=SIZE_PX), 500 + index)
        save(root / "images" / f"{index}.png", phantom.image)
        save(root / "masks" / f"{index}.png", phantom.faz_mask.astype(np.uint8) * 255)
        rows.append(
            {"file": f"images/{index}.png", "mask": f"masks/{index}.png", "subject": f"S{index}", "eye": "OD",
             "slab": "superficial", "field_mm": "3,0", "licence": "CC BY 4.0"}
        )  # fmt: skip
    write_manifest(root, rows)
    return root


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
