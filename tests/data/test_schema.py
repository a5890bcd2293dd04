"""What an example is survives being stored, and data has a fingerprint of its content."""

import json

import numpy as np
import pytest

from reparam.data.schema import Column, Examples, Schema

TABLE = Schema("table", (2,), columns=(Column("a"), Column("b")), label="grade")
IMAGE = Schema("image", (3, 48, 64), levels=256)


@pytest.mark.parametrize("schema", [TABLE, IMAGE])
def test_a_schema_survives_json(schema: Schema) -> None:
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_it_says_what_it_is() -> None:
    assert IMAGE.describe() == "images, 48 x 64, 3 channels, 256 levels"
    assert TABLE.describe() == "rows of 2 columns, real values: a, b"
    assert Schema("image", (1, 8, 8)).describe() == "images, 8 x 8, 1 channel, real values"
    wide = Schema("table", (9,), columns=tuple(Column(name) for name in "abcdefghi"))
    assert wide.describe() == "rows of 9 columns, real values: a, b, c, d, e, f, ..."
    assert (IMAGE.num_values, TABLE.num_values) == (9216, 2)


def test_a_fingerprint_is_of_content_shape_and_type() -> None:
    values = np.arange(6.0).reshape(3, 2)
    same = Examples(values.copy(order="F"), TABLE)
    assert same.fingerprint == Examples(values, TABLE).fingerprint
    changed = values.copy()
    changed[2, 1] += 1e-12
    others = [
        Examples(changed, TABLE),
        Examples(values.reshape(2, 3), TABLE),
        Examples(values.astype(np.float32), TABLE),
        Examples(values, TABLE, num_test=1),
        Examples(values[::-1], TABLE),
    ]
    assert len({example.fingerprint for example in [same, *others]}) == 6
