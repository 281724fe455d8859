"""CTC against all alignments written out, real Keras, and finite differences."""

import itertools
import json
from pathlib import Path

import autograd
import numpy as np
import pytest
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.ops import ctc as module
from minikeras.ops.ctc import ctc_loss

GOLDEN = Path(__file__).parent.parent / "golden" / "losses_more.json"
LENGTHS = json.loads(GOLDEN.read_text())["lengths"]
RNG = np.random.default_rng(6)


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


def collapse(path, blank):
    """What an alignment says: runs count once, blanks not at all."""
    return [label for label, _ in itertools.groupby(path) if label != blank]


def by_all_alignments(labels, logits, blank):
    """-log of the summed probability, one alignment after the other."""
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    total = sum(
        np.prod([p[t, k] for t, k in enumerate(path)])
        for path in itertools.product(range(p.shape[1]), repeat=len(p))
        if collapse(path, blank) == list(labels)
    )
    return -np.log(total)


@pytest.mark.parametrize("blank", [0, 1, 2])
@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_all_alignments(steps, blank):
    a, b = (k for k in range(3) if k != blank)
    wanted = [[], [a], [b], [a, b], [a, a], [a, b, a], [a, a, b], [b, b, b]]
    wanted = [
        w
        for w in wanted
        if len(w) + sum(x == y for x, y in zip(w, w[1:], strict=False)) <= steps
    ]
    logits = RNG.normal(size=(len(wanted), steps, 3))
    target = np.full((len(wanted), 3), -7)
    for row, labels in zip(target, wanted, strict=True):
        row[: len(labels)] = labels
    lengths = [len(labels) for labels in wanted]
    value = ctc_loss(target, logits, lengths, [steps] * len(wanted), blank)
    expected = [
        by_all_alignments(w, z, blank) for w, z in zip(wanted, logits, strict=True)
    ]
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_lengths_as_in_keras():
    arguments = {k: np.array(v) for k, v in LENGTHS.items()}
    value, slope = arguments.pop("value"), arguments.pop("gradient")
    blank, output = LENGTHS["mask_index"], arguments.pop("output")
    arguments["mask_index"] = blank

    def loss(x):
        return ctc_loss(output=x, **arguments)

    np.testing.assert_allclose(loss(output), value, rtol=1e-12)
    found = autograd.grad(lambda x: ops.sum(loss(x)))(output)
    np.testing.assert_allclose(found, slope, rtol=1e-9, atol=1e-12)
    for b, count in enumerate(LENGTHS["output_length"]):
        np.testing.assert_array_equal(found[b, count:], 0)


@pytest.mark.parametrize(
    "target, lengths, steps",
    [
        ([[1, 2]], [2], [4]),
        ([[1, 1, 2], [2, 0, 0]], [3, 1], [5, 3]),
        ([[0, 0]], [0], [3]),
        (np.zeros((1, 0), int), [0], [2]),
        ([[2]], [1], [1]),
    ],
)
def test_derivatives(target, lengths, steps):
    logits = RNG.normal(size=(len(lengths), max(steps), 3))
    check_grads(
        lambda x: ctc_loss(target, x, lengths, steps), modes=["fwd", "rev"], order=2
    )(logits)


SHAPES = [(1, 1, 1), (1, 2, 3), (4, 1, 1), (4, 2, 2), (5, 2, 7)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("back", [False, True])
def test_scan(shape, back):
    weights, x = RNG.uniform(size=(3, *shape)), RNG.normal(size=shape)
    expected = x.copy()
    steps = range(shape[0])
    for t in reversed(steps) if back else steps:
        for s, k in itertools.product(range(shape[2]), range(3)):
            if back and t + 1 < shape[0] and s + k < shape[2]:
                after = weights[k, t + 1, :, s + k]
                expected[t, :, s] += after * expected[t + 1, :, s + k]
            if not back and t > 0 and s - k >= 0:
                expected[t, :, s] += weights[k, t, :, s] * expected[t - 1, :, s - k]
    np.testing.assert_allclose(module._scan(weights, x, back=back), expected)
    check_grads(
        lambda w, x: module._scan(w, x, back=back),
        [0, 1],
        modes=["fwd", "rev"],
        order=2,
    )(weights, x)


@pytest.mark.parametrize("shape", SHAPES)
def test_shifts_are_adjoint(shape):
    states, moved = RNG.normal(size=shape), RNG.normal(size=(3, *shape))
    product = (module._before(states) * moved).sum()
    np.testing.assert_allclose(product, (states * module._behind(moved)).sum())
    check_grads(module._before, modes=["fwd", "rev"], order=2)(states)
    check_grads(module._behind, modes=["fwd", "rev"], order=2)(moved)


@pytest.mark.parametrize("shape", SHAPES)
def test_alphas(shape):
    emit, start = RNG.normal(size=shape), RNG.normal(size=shape[1:])
    skip = np.where(RNG.uniform(size=shape[1:]) < 0.5, -np.inf, 0.25)
    check_grads(
        lambda e: module._alphas(e, start=start, skip=skip),
        modes=["fwd", "rev"],
        order=2,
    )(emit)
    check_grads(
        lambda s: ops.exp(module._log_before(s, start=start, skip=skip)),
        modes=["fwd", "rev"],
        order=2,
    )(emit)


def test_large_and_forbidden_logits():
    logits = np.array([[[0, 1e4, -1e4], [1e4, 0, 0]]], "float32")
    assert ctc_loss([[1]], logits, [1], [2])[0] == 0
    assert ctc_loss([[2]], logits, [1], [2])[0] > 1e4
    logits[0, :, 2] = -np.inf  # masked: where Keras has nan, the others still count

    def loss(x):
        return ops.sum(ctc_loss([[1]], x, [1], [2]))

    assert loss(logits) == 0
    assert np.isfinite(autograd.grad(loss)(logits)).all()


def test_long_sequences_stay_exact_in_float32():
    logits = RNG.normal(size=(2, 400, 30)) * 3
    labels = RNG.integers(1, 30, (2, 40))
    arguments = [40, 25], [400, 311]

    def loss(x):
        return ops.sum(ctc_loss(labels, x, *arguments))

    value, small = loss(logits), loss(logits.astype("float32"))
    np.testing.assert_allclose(small, value, rtol=1e-5)
    slope = autograd.grad(loss)
    found = slope(logits.astype("float32"))
    assert small.dtype == found.dtype == np.float32
    np.testing.assert_allclose(found, slope(logits), atol=1e-3)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"output": np.zeros((2, 3))}, r"`output` must be logits .*\(2, 3\)"),
        ({"target": [1, 1]}, r"`target` must be labels .*shape \(2,\)"),
        ({"target": [[1]]}, r"`target` must be labels .*of `output`, 2.*\(1, 1\)"),
        ({"target_length": [1, 3]}, r"`target_length` must be 2 .*0 to 2.*\[1, 3\]"),
        ({"target_length": [1]}, r"`target_length` must be 2 integers"),
        ({"target_length": [-1, 1]}, r"`target_length` must be 2 integers"),
        ({"output_length": [0, 3]}, r"`output_length` must be 2 .*1 to 3.*\[0, 3\]"),
        ({"output_length": [4, 3]}, r"`output_length` must be 2 integers"),
        ({"mask_index": 4}, "`mask_index` must be from 0 to 3.*mask_index=4"),
        ({"mask_index": -1}, "`mask_index` must be from 0 to 3"),
        ({"target": [[1, 4], [1, 1]]}, "labels must be from 0 to 3.*such as 4"),
        ({"target": [[1, 0], [1, 1]]}, "and not 0, which is the blank"),
    ],
)
def test_refused(changes, message):
    arguments = {
        "target": [[1, 2], [3, 1]],
        "output": np.zeros((2, 3, 4)),
        "target_length": [2, 1],
        "output_length": [3, 2],
    }
    with pytest.raises(ValueError, match=message):
        ctc_loss(**{**arguments, **changes})
