"""Arguments brought to one form, or refused by name."""

import numpy as np
import pytest

from minikeras.validation import (
    choice,
    did_you_mean,
    int_tuple,
    positive_int,
    shape_text,
)


@pytest.mark.parametrize("value", [1, 7, np.int64(3), np.uint8(3)])
def test_positive_int(value):
    found = positive_int(value, "units", "Dense")
    assert found == value and type(found) is int


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None, True, [3], np.float32(2)])
def test_not_a_positive_int(value):
    with pytest.raises(ValueError) as error:
        positive_int(value, "units", "Dense")
    assert str(error.value) == (
        f"Dense: `units` must be a positive integer. Received: units={value!r}"
    )


@pytest.mark.parametrize(
    "value, expected",
    [(2, (2, 2)), ((1, 2), (1, 2)), ([1, np.int64(2)], (1, 2)), (np.int8(4), (4, 4))],
)
def test_int_tuple(value, expected):
    found = int_tuple(value, 2, "strides", "Conv2D")
    assert found == expected
    assert all(type(n) is int for n in found)
    assert int_tuple((5,), 1, "strides", "Conv1D") == (5,)


@pytest.mark.parametrize("value", [(1,), (1, 2, 3), "12", None, 2.0, {1, 2}, ()])
def test_not_an_int_tuple(value):
    with pytest.raises(ValueError) as error:
        int_tuple(value, 2, "strides", "Conv2D")
    assert str(error.value) == (
        "Conv2D: `strides` must be a positive integer or a tuple of 2 of them. "
        f"Received: strides={value!r}"
    )


@pytest.mark.parametrize("value", [0, (0, 1), (1, -1), (1, 2.0), (True, 1), (1, None)])
def test_a_tuple_with_something_else_in_it(value):
    with pytest.raises(ValueError, match="Conv2D: `strides` must be a positive int"):
        int_tuple(value, 2, "strides", "Conv2D")


def test_choice():
    assert choice("same", ("valid", "same"), "padding", "Conv2D") == "same"
    assert choice("SAME", ("valid", "same"), "padding", "Conv2D") == "same"
    for wrong in ("full", None, 3, ["same"]):
        with pytest.raises(ValueError) as error:
            choice(wrong, ("valid", "same"), "padding", "Conv2D")
        assert str(error.value).startswith(
            "Conv2D: `padding` must be one of 'valid', 'same'. "
            f"Received: padding={wrong!r}"
        )
    with pytest.raises(ValueError, match=r"Did you mean 'same'\?$"):
        choice("sam", ("valid", "same"), "padding", "Conv2D")


def test_did_you_mean():
    known = ["relu", "relu6", "selu", "tanh", "Adam"]
    assert did_you_mean("tahn", known) == ". Did you mean 'tanh'?"
    assert did_you_mean("ADAMM", known) == ". Did you mean 'Adam'?"
    assert did_you_mean("rellu", known).startswith(". Did you mean 'relu' or")
    assert did_you_mean("rellu", known, 1) == ". Did you mean 'relu'?"
    assert did_you_mean("zzzzz", known) == ""
    assert did_you_mean(None, known) == "" and did_you_mean("x", []) == ""
    assert did_you_mean("ab", ["AB", "ab"], 1) == ". Did you mean 'AB'?"


def test_shape_text():
    assert shape_text((20, 20, 3)) == "(20, 20, 3)"
    assert shape_text([None, 4]) == "(None, 4)"
    assert shape_text((3,)) == "(3,)"
    assert shape_text(()) == "()"
