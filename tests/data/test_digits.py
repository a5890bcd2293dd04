"""The built-in digits."""

import numpy as np

from reparam.data.digits import read_digits


def test_digits_are_what_they_say():
    examples = read_digits()
    assert examples.values.shape == (1797, 1, 8, 8)
    assert examples.values.dtype == np.uint8
    assert (int(examples.values.min()), int(examples.values.max())) == (0, 16)
    assert examples.schema.shape == (1, 8, 8)
    assert (examples.schema.levels, examples.schema.binary, examples.schema.columns) == (17, False, ())
    assert examples.labels.dtype == np.int64
    assert sorted(set(examples.labels.tolist())) == list(range(10))
    assert examples.num_test == 0
