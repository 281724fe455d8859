"""Attention with several heads, of which some share keys and values."""

from typing import Any

from minikeras.layers.attention_heads import BaseHeads
from minikeras.layers.layer import family
from minikeras.ops.reshaping import repeat
from minikeras.validation import positive_int, shape_text


@family.add(public="GroupQueryAttention")
class GroupedQueryAttention(BaseHeads):
    """Attention of several heads, of which some share a key and a value: head i of the
    query looks at head i // (num_query_heads / num_key_value_heads) of the others.

    Formula, `call` and the arguments not named here are those of `BaseHeads`. With one
    head of keys and values it is multi-query attention; with as many as of queries,
    multi-head attention.

    Args:
        head_dim: size of a head.
        num_query_heads: number of heads of the query.
        num_key_value_heads: number of heads of the key and the value.

    Input shape: query (batch, queries, size), value and key (batch, keys, any size).
    Output shape: the query's.

    Raises:
        ValueError: as `BaseHeads`, and if the heads of the query are not a multiple of
            those of the key.

    Source: Ainslie et al., "GQA: training generalized multi-query transformer models
    from multi-head checkpoints", 2023.

    >>> import numpy as np
    >>> layer = GroupedQueryAttention(3, num_query_heads=4, num_key_value_heads=2)
    >>> layer(np.ones((1, 5, 8)), np.ones((1, 4, 8))).shape
    (1, 5, 8)
    """

    _dot_product_equation = "bkuh,bquh->buqk"
    _combine_equation = "buqk,bkuh->bquh"

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
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
        # The regularizer of the projections' outputs is also that of the layer's, as in
        # Keras.
        self.activity_regularizer = self._activity_regularizer
        cls = type(self).__name__
        self.head_dim = self._size = positive_int(head_dim, "head_dim", cls)
        self.num_query_heads = positive_int(num_query_heads, "num_query_heads", cls)
        self.num_key_value_heads = positive_int(
            num_key_value_heads, "num_key_value_heads", cls
        )
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                f"{cls}: `num_query_heads` must be a multiple of `num_key_value_heads`."
                f" Received: num_query_heads={num_query_heads}, "
                f"num_key_value_heads={num_key_value_heads}"
            )
        self._heads = self.num_query_heads

    def build(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> None:
        shapes = self._check_shapes(query_shape, value_shape, key_shape)
        if len(shapes[0]) != 3:
            raise ValueError(
                f"{self._owner()} expects a query with 3 axes: (batch, queries, size). "
                f"Received the shape {shape_text(query_shape)}."
            )
        self._build_projections(
            shapes, self.num_key_value_heads, self.head_dim, shapes[0][-1:]
        )

    def _spread(self, projected: Any) -> Any:
        return repeat(projected, self._heads // self.num_key_value_heads, axis=2)

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> Any:
        return self._check_shapes(query_shape, value_shape, key_shape)[0]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }


GroupQueryAttention = GroupedQueryAttention  # as Keras exports it
