"""What attention layers with several heads, and projections onto them, share."""

from itertools import islice
from math import sqrt
from string import ascii_lowercase
from typing import Any

import numpy as np

from minikeras import constraints, initializers, regularizers
from minikeras.layers.activation import Softmax
from minikeras.layers.einsum_dense import EinsumDense
from minikeras.layers.layer import Layer
from minikeras.layers.regularization import Dropout, _fraction
from minikeras.masks import get_mask, set_mask
from minikeras.ops.attention import attend
from minikeras.ops.base import convert, getval
from minikeras.ops.numpy import expand_dims, multiply, reshape
from minikeras.ops.summation import einsum
from minikeras.validation import positive_int, shape_text


class BaseHeads(Layer):
    """What the layers share that project queries, keys and values onto heads:

    y = output((weights value) * gate), weights = softmax(query key^T / sqrt(size)),

    for each head, where query, key and value, and the gate, are `EinsumDense` layers of
    the inputs, and the output one of all heads. Keys that a query may not look at have
    the weight 0.

    A query that may look at no key at all gets the mean of all values; with dropout, or
    when the weights are returned, it gets 0. So Keras does.

    `call(query, value, key=None)` takes the value as the key if there is none, and

    - `query_mask`, `value_mask`, `key_mask`, (batch, length), as `Embedding` makes them
      and layers pass them on: False for steps that do not count;
    - `attention_mask`, (batch, queries, keys), or with an axis for heads after the
      batch: False where a query may not look at a key;
    - `use_causal_mask`: query i may look at keys 0 to i only;
    - `return_attention_scores`: the result is then (outputs, weights), weights (batch,
      heads, queries, keys).

    All masks must allow what a query looks at.

    Args:
        dropout: in training, fraction of the weights that are set to 0.
        use_bias: whether the projections have biases.
        sliding_window: query i looks at keys i - window < j < i + window only.
        flash_attention: None or False: there is one way of computing it.
        kernel_initializer: of the projections' kernels; each draws its own numbers.
        bias_initializer: of their biases.
        kernel_regularizer: adds a function of each kernel to the loss.
        bias_regularizer: adds a function of each bias to the loss.
        activity_regularizer: adds a function of each projection's output to the loss.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        use_gate: whether each head's result is multiplied by sigmoid(projected query).
        seed: makes the dropout repeat; drawn from the process-wide seed for None.

    Raises:
        ValueError: for sizes that are not positive integers, a dropout outside [0, 1],
            `flash_attention=True`, and inputs or masks that do not fit each other.
    """

    supports_masking = True
    _heads: int  # of the query
    _size: int  # of a head of the query and the key
    _attention_axes: tuple[int, ...] | None = None
    _dot_product_equation: str
    _combine_equation: str

    def __init__(
        self,
        *,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        use_gate: bool,
        seed: int | None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        cls = type(self).__name__
        if flash_attention:
            raise ValueError(
                f"{cls}: `flash_attention` is for GPUs. Leave it out. "
                f"Received: flash_attention={flash_attention!r}"
            )
        self.dropout = _fraction(dropout, "dropout", cls)
        self.use_bias = use_bias
        self.use_gate = use_gate
        self.sliding_window = sliding_window
        if sliding_window is not None:
            self.sliding_window = positive_int(sliding_window, "sliding_window", cls)
        self.seed = seed
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self._activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    # --- building ---------------------------------------------------------------

    def _project(
        self, name: str, shape: Any, bound: int, sizes: tuple[int, ...], **more: Any
    ) -> EinsumDense:
        """A built projection: the last `bound` axes are replaced by axes of `sizes`."""
        free = len(shape) - bound
        letters = iter(ascii_lowercase)
        kept, summed, made = (
            "".join(islice(letters, n)) for n in (free, bound, len(sizes))
        )
        layer = EinsumDense(
            f"{kept}{summed},{summed}{made}->{kept}{made}",
            output_shape=(*[None] * (free - 1), *sizes),
            bias_axes=made if self.use_bias else None,
            name=name,
            dtype=self.dtype,
            kernel_initializer=_another(self.kernel_initializer),
            bias_initializer=_another(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            activity_regularizer=self._activity_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            **more,
        )
        layer.build(shape)
        return layer

    def _build_projections(
        self, shapes: list[Any], heads: int, size: int, outputs: tuple[int, ...]
    ) -> None:
        """The projections, in the order of their weights.

        Args:
            shapes: of the query, the value and the key.
            heads: of the key and the value.
            size: of a head of the value.
            outputs: sizes of the output's last axes.
        """
        query, value, key = shapes
        self._query_dense = self._project("query", query, 1, (self._heads, self._size))
        self._key_dense = self._project("key", key, 1, (heads, self._size))
        if self.use_gate:
            self._gate_dense = self._project(
                "gate", query, 1, (self._heads, size), activation="sigmoid"
            )
        self._value_dense = self._project("value", value, 1, (heads, size))
        axes = len(self._attention_axes or (1,))
        self._softmax = Softmax(axis=list(range(-axes, 0)), dtype=self.dtype)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype)
        joined = (*query[:-1], self._heads, size)
        self._output_dense = self._project("attention_output", joined, 2, outputs)

    def _check_shapes(self, query: Any, value: Any, key: Any) -> list[Any]:
        """The three shapes, the value's in place of a key's that is None."""
        key = value if key is None else key
        shapes = [tuple(query), tuple(value), tuple(key)]
        ranks = {len(shape) for shape in shapes}
        if len(ranks) > 1 or min(ranks) < 3 or shapes[1][1:-1] != shapes[2][1:-1]:
            raise ValueError(
                f"{self._owner()}: query, value and key must have the same number of "
                "axes, at least (batch, length, size), and value and key the same "
                f"sizes but for the last. Received: query {shape_text(query)}, value "
                f"{shape_text(value)}, key {shape_text(key)}."
            )
        return shapes

    @property
    def output_shape(self) -> Any:
        """Shape of the output for the shapes the layer was built for."""
        shapes = self._build_shapes or {"query_shape": self.input_shape}
        return self.compute_output_shape(**shapes)

    # --- calling ----------------------------------------------------------------

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        query, value, key = self._take_masks(
            query, value, value if key is None else key
        )
        self._check_shapes(query.shape, value.shape, key.shape)
        attention_mask = self._compute_attention_mask(
            query,
            value,
            query_mask=query_mask,
            value_mask=value_mask,
            key_mask=key_mask,
            attention_mask=attention_mask,
            use_causal_mask=use_causal_mask,
        )
        outputs, weights = self._compute_attention(
            self._query_dense(query),
            self._spread(self._key_dense(key)),
            self._spread(self._value_dense(value)),
            attention_mask,
            training,
            return_attention_scores,
        )
        if self.use_gate:
            outputs = multiply(outputs, self._gate_dense(query))
        outputs = self._output_dense(outputs)
        if query_mask is not None:
            set_mask(outputs, query_mask)
        return (outputs, weights) if return_attention_scores else outputs

    def _take_masks(self, *inputs: Any) -> list[Any]:
        """The inputs without masks, which are for this layer, not for its sublayers."""
        return [_without_mask(convert(x)) for x in inputs]

    def _spread(self, projected: Any) -> Any:
        """Keys or values with as many heads as the query."""
        return projected

    def _compute_attention_mask(
        self,
        query: Any,
        value: Any,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        use_causal_mask: bool = False,
    ) -> np.ndarray | None:
        """All masks as one, True where a query may look at a key; None: everywhere."""
        masks = []
        if query_mask is not None:
            masks.append(_bools(query_mask)[..., None])
        for mask in (value_mask, key_mask):
            if mask is not None:
                masks.append(_bools(mask)[..., None, :])
        if use_causal_mask:
            masks.append(self._compute_causal_mask(query, value))
        if self.sliding_window is not None:
            i, j = np.ogrid[: query.shape[1], : value.shape[1]]
            masks.append((np.abs(i - j) < self.sliding_window)[None])
        if attention_mask is not None:
            masks.append(_bools(attention_mask))
        if not masks:
            return None
        keep = masks[0]
        for mask in masks[1:]:
            keep = keep & mask
        return keep

    def _compute_causal_mask(self, query: Any, value: Any = None) -> np.ndarray:
        """(1, queries, keys), True where the key is not after the query."""
        keys = query if value is None else value
        return np.tri(query.shape[1], keys.shape[1], dtype=bool)[None]

    def _compute_attention(
        self,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
    ) -> tuple[Any, Any]:
        """The heads' results, and the weights if they were needed; to be overridden.

        Args:
            query: projected: (batch, queries, heads, size).
            key: projected: (batch, keys, heads, size).
            value: projected: (batch, keys, heads, size of a value).
            attention_mask: True where a query may look at a key, or None.
            training: whether there is dropout.
            return_attention_scores: whether the weights are needed.
        """
        scale = 1 / sqrt(self._size)
        if attention_mask is not None:
            attention_mask = self._with_heads(attention_mask, query.ndim)
        if query.ndim == 4 and not return_attention_scores:
            # Faster than the products below: benchmarks/attention.py.
            outputs = attend(
                query,
                key,
                value,
                mask=attention_mask,
                scale=scale,
                drop=self._drops(query, key) if training and self.dropout else None,
                zero=self.dropout > 0,
            )
            return outputs, None
        scores = einsum(self._dot_product_equation, key, multiply(query, scale))
        weights = self._softmax(scores, mask=attention_mask)
        kept = weights
        if self.dropout:
            kept = self._dropout_layer(weights, training=training)
        return einsum(self._combine_equation, kept, value), weights

    def _drops(self, query: Any, key: Any) -> Any:
        """What dropout makes of weights that are all 1."""
        shape = (query.shape[0], query.shape[2], query.shape[1], key.shape[1])
        ones = np.broadcast_to(np.ones((), self._np_dtype), shape)
        return self._dropout_layer(ones, training=True)

    def _with_heads(self, mask: Any, ndim: int) -> Any:
        """A mask with axes of length 1 for heads, and whatever else it does not have.

        Args:
            mask: (batch, queries, keys), each as many axes as attention is over.
            ndim: number of axes of a projected query.
        """
        axes = len(self._attention_axes or (1,))
        for _ in range(ndim + axes - 1 - mask.ndim):
            mask = expand_dims(mask, -2 * axes - 1)
        return mask

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "use_gate": self.use_gate,
            "sliding_window": self.sliding_window,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self._activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "seed": self.seed,
        }


def _another(initializer: Any) -> Any:
    """One that draws other numbers, unless it has a seed."""
    clone = getattr(initializer, "clone", None)
    return initializer if clone is None else clone()


def _bools(mask: Any) -> np.ndarray:
    return np.asarray(getval(convert(mask)), bool)


def _without_mask(x: Any) -> Any:
    """The same array as another object, to which no mask belongs."""
    return x if get_mask(x) is None else reshape(x, x.shape)
