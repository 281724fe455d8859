"""Attention with several heads, each with its own projections."""

from string import ascii_lowercase
from typing import Any

from minikeras.layers.attention_heads import BaseHeads
from minikeras.layers.einsum_dense import EinsumDense
from minikeras.layers.layer import family
from minikeras.masks import set_mask
from minikeras.ops.base import convert
from minikeras.validation import positive_int, shape_text


@family.add()
class MultiHeadAttention(BaseHeads):
    """Attention of several heads: each projects query, key and value to its own space
    and takes the mean of the values, weighted by how well keys match queries.

    Formula, `call` and the arguments not named here are those of `BaseHeads`.

    Args:
        num_heads: number of heads.
        key_dim: size of a head of the query and the key.
        value_dim: size of a head of the value; `key_dim` for None.
        output_shape: sizes of the output's last axes; the query's last for None.
        attention_axes: axes over which attention runs; all but the batch and the last
            for None.

    Input shape: query (batch, queries..., size), value (batch, keys..., any size), key
    (batch, keys..., any size). Output shape: (batch, queries..., output_shape).

    Raises:
        ValueError: as `BaseHeads`, and for axes that the input does not have.

    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> import numpy as np
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=3)
    >>> layer(np.ones((1, 5, 8)), np.ones((1, 4, 6))).shape
    (1, 5, 8)
    >>> [tuple(w.shape) for w in layer.weights[:2]]
    [(8, 2, 3), (2, 3)]
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            use_gate=use_gate,
            seed=seed,
            **kwargs,
        )
        cls = type(self).__name__
        self._heads = positive_int(num_heads, "num_heads", cls)
        self._size = positive_int(key_dim, "key_dim", cls)
        self._value_dim = self._size
        if value_dim is not None:
            self._value_dim = positive_int(value_dim, "value_dim", cls)
        self._output_sizes = _tuple(output_shape, "output_shape", cls)
        if self._output_sizes is not None:
            for size in self._output_sizes:
                positive_int(size, "output_shape", cls)
        self._attention_axes = _tuple(attention_axes, "attention_axes", cls)

    @property
    def num_heads(self) -> int:
        """Number of heads."""
        return self._heads

    @property
    def key_dim(self) -> int:
        """Size of a head of the query and the key."""
        return self._size

    @property
    def value_dim(self) -> int:
        """Size of a head of the value."""
        return self._value_dim

    @property
    def attention_axes(self) -> tuple[int, ...] | None:
        """Axes over which attention runs; none below 0 once the layer is built."""
        return self._attention_axes

    @property
    def query_dense(self) -> EinsumDense:
        """Projection of the query."""
        return self._query_dense

    @property
    def key_dense(self) -> EinsumDense:
        """Projection of the key."""
        return self._key_dense

    @property
    def value_dense(self) -> EinsumDense:
        """Projection of the value."""
        return self._value_dense

    @property
    def output_dense(self) -> EinsumDense:
        """Projection of what the heads give."""
        return self._output_dense

    def build(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> None:
        shapes = self._check_shapes(query_shape, value_shape, key_shape)
        ndim = len(shapes[0])
        between = tuple(range(1, ndim - 1))
        given = self._attention_axes
        axes = between if given is None else tuple(a % ndim for a in given)
        inside = given is None or all(-ndim <= a < ndim for a in given)
        if not inside or set(axes) - set(between) or len(set(axes)) < len(axes):
            raise ValueError(
                f"{self._owner()}: `attention_axes` must be different axes of the "
                f"query from 1 to {ndim - 2}: not the batch and not the last. Received:"
                f" attention_axes={given} for the shape {shape_text(query_shape)}."
            )
        self._attention_axes = axes
        self._dot_product_equation, self._combine_equation = _equations(ndim + 1, axes)
        outputs = self._output_sizes or shapes[0][-1:]
        self._build_projections(shapes, self._heads, self._value_dim, outputs)

    def _take_masks(self, *inputs: Any) -> list[Any]:
        # As in Keras: the caller's arrays have no masks from here on.
        for x in inputs:
            set_mask(x, None)
        return [convert(x) for x in inputs]

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> Any:
        shape = self._check_shapes(query_shape, value_shape, key_shape)[0]
        return (*shape[:-1], *(self._output_sizes or shape[-1:]))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self._heads,
            "key_dim": self._size,
            "value_dim": self._value_dim,
            "output_shape": self._output_sizes,
            "attention_axes": self._attention_axes,
        }


def _tuple(value: Any, name: str, owner: str) -> tuple[int, ...] | None:
    """One whole number, or several, as a tuple; None for None."""
    if value is None:
        return None
    found = (value,) if isinstance(value, int) else value
    if not isinstance(found, list | tuple) or not all(
        isinstance(n, int) and not isinstance(n, bool) for n in found
    ):
        raise ValueError(
            f"{owner}: `{name}` must be a whole number, a tuple of them, or None. "
            f"Received: {name}={value!r}"
        )
    return tuple(found)


def _equations(ndim: int, axes: tuple[int, ...]) -> tuple[str, str]:
    """Of the scores, from the key and the query, and of the results, from the weights
    and the value.

    Scores have the batch, the other axes that attention does not run over, the heads,
    then the query's and the key's axes that it runs over.

    >>> _equations(4, (1,))
    ('aecd,abcd->acbe', 'acbe,aecd->abcd')
    """
    query = ascii_lowercase[:ndim]
    new = iter(ascii_lowercase[ndim:])
    key = "".join(next(new) if k in axes else c for k, c in enumerate(query))
    both = [c for k, c in enumerate(query[:-1]) if k not in axes]
    scores = "".join([*both, *(x[k] for x in (query, key) for k in axes)])
    return f"{key},{query}->{scores}", f"{scores},{key}->{query}"
