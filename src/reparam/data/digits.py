"""The handwritten digits that come with scikit-learn: small enough to try everything on, no download."""

import numpy as np
from sklearn.datasets import load_digits

from reparam.data.schema import Examples, Schema

__all__ = ["read_digits"]


def read_digits() -> Examples:
    """1797 digits of 8 x 8 pixels with 17 grey levels (0..16) and their labels 0..9.

    Returns:
        Examples with ``values`` ``[1797, 1, 8, 8]`` ``uint8``; no test split of their own.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998), the test part.

    Example:
        >>> read_digits().schema.describe()
        'images, 8 x 8, 1 channel, 17 levels'
    """
    digits = load_digits()
    values = digits.images.astype(np.uint8)[:, None]
    schema = Schema("image", (1, 8, 8), levels=17, label="file")
    return Examples(values=values, schema=schema, labels=digits.target.astype(np.int64))
