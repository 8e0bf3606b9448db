"""Small pictures of images, by whose correlation near duplicates are found."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

THUMBNAIL_PX = 32


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """32 x 32 averages of an image (height, width) as a vector of mean 0 and length 1; an even image gives zeros.

    The product of two is their correlation.
    """
    small = Image.fromarray(image).resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.float32).ravel()
    values = values - values.mean()
    length = float(np.linalg.norm(values))
    return np.asarray(values / length if length > 0 else values, np.float32)
