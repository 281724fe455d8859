"""Attention of one head, without projections: of Luong and of Bahdanau."""

from typing import Any

import numpy as np

from minikeras.layers.layer import Layer, family
from minikeras.layers.regularization import Dropout, _fraction
from minikeras.layers.structure import batch_shapes, is_shape
from minikeras.ops.base import convert, getval
from minikeras.ops.nn import softmax, tanh
from minikeras.ops.numpy import (
    add,
    expand_dims,
    matmul,
    multiply,
    squeeze,
    subtract,
    sum,
    swapaxes,
    where,
)
from minikeras.validation import choice, shape_text

FAR = 1e9  # subtracted from the scores of masked values, as in Keras


class BaseAttention(Layer):
    """What the layers share that are called on [query, value] or [query, value, key]:

    y = softmax(scores(query, key)) value. Without a key, the value is its own.

    `call` takes `mask`, a list of the query's and the value's mask, as `Embedding`
    makes them: masked values are not looked at, the outputs of masked queries are 0;
    `use_causal_mask`: query i looks at values 0 to i only; and
    `return_attention_scores`: the result is then (outputs, weights), weights (batch,
    queries, values).

    Args:
        use_scale: whether there is a weight `scale`.
        dropout: in training, fraction of the weights that are set to 0.
        seed: makes the dropout repeat; drawn from the process-wide seed for None.

    Input shape: a list of (batch, queries, size), (batch, values, any size) and
    (batch, values, size). Output shape: (batch, queries, any size).

    Raises:
        ValueError: if the dropout is outside [0, 1], and for anything but a list of
            two or three arrays, or of masks, whose sizes fit.
    """

    supports_masking = True

    def __init__(
        self,
        use_scale: bool,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.dropout = _fraction(dropout, "dropout", type(self).__name__)
        self.seed = seed
        self._drop: Layer | None = None
        if dropout:
            self._drop = Dropout(dropout, seed=seed, dtype=self.dtype, name="dropout")

    def _scores(self, query: Any, key: Any) -> Any:
        """(batch, queries, keys)."""
        raise NotImplementedError

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check(batch_shapes(inputs), mask)
        query, value, key = (*inputs, inputs[1])[:3]
        query_mask, value_mask = mask[:2] if mask else (None, None)
        scores = self._scores(query, key)
        keep = _keep(scores.shape, value_mask, use_causal_mask)
        weights = _weights(scores, keep)
        if self._drop is not None:
            weights = self._drop(weights, training=training)
        outputs = matmul(weights, value)
        if query_mask is not None:
            shown = np.asarray(getval(convert(query_mask)), bool)
            outputs = where(shown[..., None], outputs, 0)
        return (outputs, weights) if return_attention_scores else outputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The query's mask."""
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[0][:-1], input_shape[1][-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "dropout": self.dropout,
            "seed": self.seed,
        }

    def _check(self, shapes: Any, mask: Any = None) -> None:
        wanted = f"{self._owner()} must be called on a list [query, value] or [query, "
        if (
            not isinstance(shapes, list)
            or is_shape(shapes)
            or len(shapes) not in (2, 3)
        ):
            got = f"the shape {shapes}" if is_shape(shapes) else f"the shapes {shapes}"
            raise ValueError(f"{wanted}value, key] of arrays. Received {got}.")
        query, value, key = (*shapes, shapes[1])[:3]
        if min(map(len, (query, value, key))) < 3 or not (
            _equal(query[-1], key[-1]) and _equal(value[-2], key[-2])
        ):
            raise ValueError(
                f"{wanted}value, key] of the shapes (batch, queries, size), (batch, "
                "values, any size) and (batch, values, size); without a key, the value "
                f"is its own. Received: {', '.join(map(shape_text, shapes))}"
            )
        if mask is not None and (not isinstance(mask, list) or len(mask) not in (2, 3)):
            raise ValueError(
                f"{self._owner()}: `mask` must be a list [query_mask, value_mask], "
                f"None for one that is not there. Received: mask={mask!r}"
            )


@family.add()
class Attention(BaseAttention):
    """Mean of the values, weighted by how well their keys match the query:

    y = softmax(scores) value, with scores = scale * query key^T for `"dot"`, and
    concat_score_weight * sum(tanh(scale * (query + key))) for `"concat"`, the sum over
    the last axis.

    `call`, inputs and outputs are those of `BaseAttention`.

    Args:
        use_scale: whether `scale` is a weight, one number; it is 1 otherwise.
        score_mode: `"dot"` or `"concat"`.
        dropout: in training, fraction of the weights that are set to 0.
        seed: makes the dropout repeat; drawn from the process-wide seed for None.

    Raises:
        ValueError: for another score mode, and as `BaseAttention`.

    Source: Luong et al., "Effective approaches to attention-based neural machine
    translation", 2015.

    >>> query = np.array([[[1e3, 0.0]]])
    >>> Attention()([query, np.array([[[1.0, 0.0], [0.0, 5.0]]])])
    array([[[1., 0.]]], dtype=float32)
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(use_scale, dropout, seed, **kwargs)
        self.score_mode = choice(
            score_mode, ("dot", "concat"), "score_mode", "Attention"
        )

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                (), "ones", name="concat_score_weight"
            )

    def _scores(self, query: Any, key: Any) -> Any:
        if self.score_mode == "dot":
            scores = matmul(query, swapaxes(key, -2, -1))
            return scores if self.scale is None else multiply(scores, self.scale)
        pairs = _pairs(query, key)
        if self.scale is not None:
            pairs = multiply(self.scale, pairs)
        return multiply(self.concat_score_weight, sum(tanh(pairs), axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "score_mode": self.score_mode}


@family.add()
class AdditiveAttention(BaseAttention):
    """Mean of the values, weighted by a small network of the query and each key:

    y = softmax(scores) value, with scores = sum(scale * tanh(query + key)), the sum
    over the last axis.

    `call`, inputs and outputs are those of `BaseAttention`.

    Args:
        use_scale: whether `scale` is a weight, of the query's size; it is 1 otherwise.
        dropout: in training, fraction of the weights that are set to 0.
        seed: makes the dropout repeat; drawn from the process-wide seed for None.

    Raises:
        ValueError: as `BaseAttention`.

    Source: Bahdanau et al., "Neural machine translation by jointly learning to align
    and translate", 2014.

    >>> values = np.array([[[0.0, 2.0], [2.0, 4.0]]])
    >>> AdditiveAttention()([np.full((1, 1, 2), 1e3), values])
    array([[[1., 3.]]], dtype=float32)
    """

    def __init__(
        self,
        use_scale: bool = True,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(use_scale, dropout, seed, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        self.scale = None
        if self.use_scale:
            size = input_shape[0][-1]
            self.scale = self.add_weight((size,), "glorot_uniform", name="scale")

    def _scores(self, query: Any, key: Any) -> Any:
        bent = tanh(_pairs(query, key))
        if self.scale is None:
            return sum(bent, axis=-1)
        return squeeze(matmul(bent, expand_dims(self.scale, -1)), -1)


def _equal(m: int | None, n: int | None) -> bool:
    return m == n or None in (m, n)


def _pairs(query: Any, key: Any) -> Any:
    """Sums of each query and each key: (batch, queries, keys, size)."""
    return add(expand_dims(query, -2), expand_dims(key, -3))


def _keep(shape: Any, value_mask: Any, causal: bool) -> np.ndarray | None:
    """Where a query may look at a value, broadcast to the scores; None: everywhere."""
    keep = np.tri(*shape[-2:]) > 0 if causal else None
    if value_mask is not None:
        seen = np.asarray(getval(convert(value_mask)), bool)
        seen = seen[:, None] if seen.ndim == 2 else seen
        keep = seen if keep is None else keep & seen
    return keep


def _weights(scores: Any, keep: np.ndarray | None) -> Any:
    """softmax(scores), those of masked values far below the others."""
    if keep is None:
        return softmax(scores)
    dtype = scores.dtype
    if dtype == np.float16:  # it ends before FAR
        scores = convert(scores, np.float32)
    far = np.where(keep, 0, FAR).astype(scores.dtype)
    return convert(softmax(subtract(scores, far)), dtype)
