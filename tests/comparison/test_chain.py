"""The chain rule, taken apart and put together."""

from reparam.comparison.chain import chain_rule


def test_both_ways_together_are_the_whole_gradient():
    parts = chain_rule(3)
    assert parts.difference < 1e-12
    names = dict(zip(parts.weights, zip(parts.through_loc, parts.through_scale, strict=True), strict=True))
    assert all(scale == 0 != loc for name, (loc, scale) in names.items() if name.startswith("to loc"))
    assert all(loc == 0 != scale for name, (loc, scale) in names.items() if name.startswith("to scale"))
    assert all(loc != 0 != scale for name, (loc, scale) in names.items() if name.startswith("hidden"))


def test_it_is_a_function_of_the_seed():
    assert str(chain_rule(1)) == str(chain_rule(1)) != str(chain_rule(2))
