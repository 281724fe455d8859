"""Cross-entropy of integer labels: derivatives of both forms, and of `fused`."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, make_jvp
from autograd.test_util import check_grads

from minikeras.ops.base import fused
from minikeras.ops.log_loss import sparse_log_loss


def draw(shape, dtype="float64"):
    rng = np.random.default_rng(len(shape))
    p = rng.uniform(0.1, 1.0, shape).astype(dtype)
    return p, rng.integers(0, shape[-1], shape[:-1])


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("shape", [(1, 2), (4, 3), (2, 3, 4)])
def test_derivatives_of_second_order(shape, from_logits):
    p, labels = draw(shape)
    check_grads(
        lambda p: sparse_log_loss(p, labels, 1e-7, from_logits),
        modes=["fwd", "rev"],
        order=2,
    )(p)


@pytest.mark.parametrize("from_logits", [False, True])
def test_fast_first_derivative_equals_the_composed_one(from_logits):
    p, labels = draw((5, 4))

    def total(p):
        return anp.sum(sparse_log_loss(p, labels, 1e-7, from_logits) ** 2)

    fast = elementwise_grad(total)(p)
    # A forward derivative comes from the composed form.
    for index in np.ndindex(p.shape):
        unit = np.zeros_like(p)
        unit[index] = 1
        np.testing.assert_allclose(make_jvp(total)(p)(unit)[1], fast[index], rtol=1e-10)


@pytest.mark.parametrize("from_logits", [False, True])
def test_float32_stays_float32(from_logits):
    p, labels = draw((5, 4), "float32")

    def total(p):
        return anp.sum(sparse_log_loss(p, labels, 1e-7, from_logits))

    first = elementwise_grad(total)
    assert first(p).dtype == "float32"
    assert elementwise_grad(lambda p: anp.sum(first(p) ** 2))(p).dtype == "float32"


def test_fused_notices_a_wrong_derivative():
    wrong = fused(
        lambda x, y: x * y,
        lambda argnums, g, ans, x, y: (g * y, g * x * 1.01),
        lambda x, y: x * y,
    )
    check_grads(wrong, (0, 1), modes=["fwd"], order=2)(2.0, 3.0)
    with pytest.raises(AssertionError):
        check_grads(wrong, (0, 1), modes=["rev"], order=1)(2.0, 3.0)
