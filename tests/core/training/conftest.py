"""A small training folder drawn from phantoms, in the layout of the real one."""

import numpy as np
import pytest
import torch
from PIL import Image

from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.vocabulary import OCTA_ARTIFACTS

N_FAZ, N_GRADED = 12, 24


@pytest.fixture(scope="module")
def one_thread():
    """A sum on several threads has another order, and so another last digit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="session")
def training_folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("training")
    faz_rows, graded_rows = ["file,slab,fov_mm,number"], ["file,source,grade,motion,shadow,defocus,low_signal"]
    for index in range(N_FAZ):
        phantom = render_octa(OctaPhantomSpec(size_px=96), 100 + index)
        save(root / "faz_phantoms" / "images" / f"{index}.png", phantom.image)
        save(root / "faz_phantoms" / "masks" / f"{index}.png", phantom.faz_mask.astype(np.uint8) * 255)
        faz_rows.append(f"{index}.png,superficial,3,{index // 2}")
    for index in range(N_GRADED):
        bad = index % 3 == 0
        phantom = render_octa(OctaPhantomSpec(size_px=96, motion=0.9 * bad, low_signal=0.9 * bad), 200 + index)
        save(root / "octa_graded" / "images" / f"g{index}.png", phantom.image)
        severity = [0 if phantom.area_fraction(kind) < 0.01 else 2 for kind in OCTA_ARTIFACTS]
        graded_rows.append(f"g{index}.png,SIM,{int(phantom.ordinal)}," + ",".join(map(str, severity)))
    (root / "faz_phantoms" / "manifest.csv").write_text("\n".join(faz_rows) + "\n")
    (root / "octa_graded" / "grades.csv").write_text("\n".join(graded_rows) + "\n")
    save(root / "bscan_drawn" / "0.png", np.tile(np.arange(96, dtype=np.uint8)[:, None], (1, 96)))
    return root
