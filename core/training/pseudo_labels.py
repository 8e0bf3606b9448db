"""FAZ masks for images that nobody drew on, from the network itself half way through its training (self-training).

The drawn masks come from one device; the unlabelled pool has others. A soft mask of the averaged network, kept only
where it is plausible, teaches the network to say under every distortion what it says of the clean image (Xie et al.
2020, arXiv:1911.04252).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label
from skimage.measure import regionprops
from torch.nn.functional import interpolate

from core.networks.octa_enface import OctaEnfaceNetwork
from core.scoring.lanes.canvas import CANVAS_PX, normalise
from core.training.samples import FAZ_CHANNEL, Canvas

PSEUDO_LABELS_NAME = "pseudo_faz.npz"
_FORWARD = 16

PLAUSIBLE_SHARE = (0.0008, 0.12)
"""Of the image: 0.05 to 1.1 mm^2 at 3 x 3 mm holds every healthy FAZ (Linderman et al. 2017,
doi:10.1167/tvst.6.3.16) and most diseased ones, a quarter of it those at 6 x 6 mm."""
MAX_OFFSET_FRACTION = 0.13
"""Public images are centred on the fovea: what lies further from the middle is drop-out or shadow."""
MIN_SOLIDITY = 0.8
"""Area over that of the convex hull: a FAZ is round or star-shaped; ragged regions are shadows that run together."""
MIN_CERTAINTY = 0.8
"""Mean probability inside the mask."""


def label_pool(network: OctaEnfaceNetwork, pool: Sequence[Canvas], *, device: torch.device) -> int:
    """Give the canvases their FAZ masks, where plausible ones are found; returns how many."""
    was_training = network.training
    network.eval()
    n_labelled = 0
    with torch.inference_mode():
        for first in range(0, len(pool), _FORWARD):
            chunk = pool[first : first + _FORWARD]
            images = torch.from_numpy(normalise(np.stack([canvas.image for canvas in chunk]))[:, None]).to(device)
            logits = network(images.contiguous(memory_format=torch.channels_last)).faz[:, None]
            full = interpolate(logits, size=(CANVAS_PX, CANVAS_PX), mode="bilinear", align_corners=False)
            for canvas, probability in zip(chunk, torch.sigmoid(full)[:, 0].cpu().numpy(), strict=True):
                n_labelled += _take(canvas, probability)
    network.train(was_training)
    return n_labelled


def store_labels(pool: Sequence[Canvas], path: Path) -> None:
    """Keep the masks for a training that is resumed later."""
    np.savez_compressed(
        path,
        masks=np.stack([canvas.masks[FAZ_CHANNEL] for canvas in pool]),
        known=np.array([canvas.known[FAZ_CHANNEL] for canvas in pool]),
    )


def restore_labels(pool: Sequence[Canvas], path: Path) -> None:
    """Give the canvases the masks that were kept."""
    with np.load(path, allow_pickle=False) as stored:
        for canvas, mask, known in zip(pool, stored["masks"], stored["known"], strict=True):
            canvas.masks[FAZ_CHANNEL], canvas.known[FAZ_CHANNEL] = mask, bool(known)


def _take(canvas: Canvas, probability: NDArray[np.float32]) -> bool:
    mask = plausible_faz(probability)
    if mask is None:
        return False
    canvas.masks[FAZ_CHANNEL] = np.rint(probability * mask * 255).astype(np.uint8)
    canvas.known[FAZ_CHANNEL] = True
    return True


def plausible_faz(probability: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Where the largest region of a FAZ probability map (H, W) and its fringe lie; None where it cannot be a FAZ."""
    regions, n_regions = label(probability >= 0.5)  # noqa: PLR2004 - more likely than not
    if n_regions == 0:
        return None
    largest = regions == 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    found = regionprops(largest.astype(np.uint8))[0]  # type: ignore[no-untyped-call]
    centre = np.array(found.centroid) / probability.shape
    low, high = PLAUSIBLE_SHARE
    if not low <= largest.mean() <= high or probability[largest].mean() < MIN_CERTAINTY:
        return None
    if np.abs(centre - 0.5).max() > MAX_OFFSET_FRACTION or found.solidity < MIN_SOLIDITY:
        return None
    fringe, _ = label(probability >= 0.05)  # noqa: PLR2004 - the soft edge belongs to the label, other regions do not
    touched = fringe == fringe[largest][0]
    return np.asarray(touched, np.bool_)
