"""What attention costs, and what its fast path gains.

    python -m benchmarks.attention

A ratio above 1 is faster than the first line of its case.
"""

import numpy as np
from autograd.core import make_vjp

from benchmarks.timing import report
from minikeras.kernels.attention import Rules
from minikeras.kernels.session import single_threaded_blas
from minikeras.layers.multi_head_attention import MultiHeadAttention
from minikeras.ops import attention as ops
from minikeras.ops.numpy import _matmul
from minikeras.variables import bind


def _pull(function, arrays):
    """One forward and backward pass to all arrays."""
    with single_threaded_blas:
        pull, y = make_vjp(lambda packed: function(*packed), tuple(arrays))
        return pull(np.ones_like(y))


def _products(q, k, v):
    weights = ops._weights(q, k, Rules(q.shape[-1] ** -0.5))
    return ops._heads(_matmul(weights, ops._heads(v)))


def core():
    """The primitive against the products and the softmax that it stands for."""
    for shape in ((32, 50, 4, 16), (8, 200, 4, 32), (256, 10, 2, 8)):
        q, k, v = np.random.default_rng(0).standard_normal((3, *shape), np.float32)
        report(
            f"attention (batch, steps, heads, size) {shape}, forward and backward",
            {
                "products and softmax": lambda a=(q, k, v): _pull(_products, a),
                "one primitive": lambda a=(q, k, v): _pull(
                    ops.dot_product_attention, a
                ),
            },
        )


def layer():
    """MultiHeadAttention with 4 heads of 16 numbers on (32, 50, 64)."""
    x = np.random.default_rng(0).standard_normal((32, 50, 64), np.float32)
    ways = {}
    for name, scores, rate in (
        ("with the weights returned", True, 0.0),
        ("without them", False, 0.0),
        ("with dropout and the weights", True, 0.1),
        ("with dropout, without the weights", False, 0.1),
    ):
        attention = MultiHeadAttention(4, 16, dropout=rate)
        attention(x, x)

        def run(x, *weights, attention=attention, scores=scores):
            with bind(attention.weights, list(weights)):
                y = attention(x, x, return_attention_scores=scores, training=True)
            return y[0] if scores else y

        arrays = (x, *attention.get_weights())
        ways[name] = lambda run=run, arrays=arrays: _pull(run, arrays)
    report("MultiHeadAttention(4, 16) on (32, 50, 64), forward and backward", ways)


if __name__ == "__main__":
    core()
    layer()
