"""CTC decoding against all alignments; Keras' own results: test_ops_nn_golden.py."""

from itertools import groupby, product

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.ops.decoding import ctc_decode

RANDOM = np.random.default_rng(4)
SPEECH = RANDOM.normal(size=(3, 5, 3)) * 2


def every_alignment(logits, blank):
    """log P of each row of labels, by adding up all ways to it."""
    logarithms = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    steps, classes = logits.shape
    totals = {}
    for path in product(range(classes), repeat=steps):
        labels = tuple(c for c, _ in groupby(path) if c != blank)
        chance = logarithms[np.arange(steps), path].sum()
        totals[labels] = np.logaddexp(totals.get(labels, -np.inf), chance)
    return sorted(totals.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("blank", [0, 1, 2])
def test_a_wide_beam_finds_the_best(blank):
    labels, scores = ctc_decode(
        *(SPEECH, [5, 3, 1], "beam_search"), top_paths=4, mask_index=blank
    )
    assert labels.shape == (4, 3, 5)
    assert labels.dtype == np.int32
    for n, count in enumerate((5, 3, 1)):
        best = every_alignment(SPEECH[n, :count], blank)[:4]
        for place, (wanted, chance) in enumerate(best):
            row = labels[place, n]
            assert tuple(row[row >= 0]) == wanted
            assert (row[len(wanted) :] == -1).all()
            np.testing.assert_allclose(scores[n, place], chance)
        for place in range(len(best), 4):
            assert (labels[place, n] == -1).all()
            assert scores[n, place] == -np.inf


@pytest.mark.parametrize("merge", [True, False])
def test_greedy(merge):
    labels, scores = ctc_decode(SPEECH, [5, 4, 1], merge_repeated=merge, mask_index=2)
    for n, count in enumerate((5, 4, 1)):
        best = SPEECH[n, :count].argmax(axis=-1)
        kept = [c for c, _ in groupby(best)] if merge else list(best)
        kept = [c for c in kept if c != 2]
        assert labels[0, n].tolist() == kept + [-1] * (5 - len(kept))
        np.testing.assert_allclose(scores[n], -SPEECH[n, :count].max(axis=-1).sum())


def test_number_types_and_derivative():
    for strategy in ("greedy", "beam_search"):
        for given, wanted in (("float16", "float32"), ("float64", "float64")):
            scores = ctc_decode(SPEECH.astype(given), [5, 5, 5], strategy)[1]
            assert scores.dtype == wanted
        assert ctc_decode([[[1, 2]]], [1], strategy)[1].dtype == np.float32
    greedy = lambda x: ctc_decode(x, [5, 3, 1])[1] ** 2  # noqa: E731
    check_grads(greedy, modes=["fwd", "rev"], order=2)(SPEECH)


def test_impossible_classes():
    x = np.array([[[-np.inf, 0.0, 1.0], [0.0, -np.inf, 0.0]]])
    labels, scores = ctc_decode(x, [2], "beam_search", top_paths=5)
    best = every_alignment(x[0, :, :], 0)
    assert labels[0, 0].tolist() == [2, -1]
    np.testing.assert_allclose(scores[0, 0], best[0][1])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"strategy": "best"}, "'greedy', 'beam_search'.*'best'"),
        ({"strategy": "beam_search", "beam_width": 0}, "beam_width=0"),
        ({"strategy": "beam_search", "top_paths": 101}, "top_paths=101"),
        ({"strategy": "beam_search", "merge_repeated": False}, "merge_repeated=False"),
        ({"mask_index": 3}, "from 0 to 2.*mask_index=3"),
        ({"sequence_lengths": [5, 6, 1]}, r"from 1 to 5. Received: \[5, 6, 1\]"),
        ({"sequence_lengths": [5, 0, 1]}, "from 1 to 5"),
        ({"sequence_lengths": [5]}, "must be 3 integers"),
        ({"inputs": SPEECH[0]}, r"\(batch, steps, classes\).*\(5, 3\)"),
    ],
)
def test_messages(options, message):
    with pytest.raises(ValueError, match=f"ctc_decode: .*{message}"):
        ctc_decode(**{"inputs": SPEECH, "sequence_lengths": [5, 3, 1], **options})


def test_the_beam_search_refuses_a_gradient():
    with pytest.raises(TypeError, match="no derivative.*stop_gradient"):
        grad(lambda x: ops.sum(ctc_decode(x, [5, 5, 5], "beam_search")[1]))(SPEECH)
