"""Taking arrays apart along an axis and putting them together."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras.ops.stacking import stack, unstack


def random(*shape):
    return np.random.default_rng(3).normal(size=shape)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("shape", [(3, 4, 2), (1, 1, 1), (2, 1, 3)])
def test_unstack_then_stack(shape, axis):
    x = random(*shape)
    parts = unstack(x, axis=axis)
    assert len(parts) == shape[axis]
    for number, part in enumerate(parts):
        assert np.array_equal(part, np.take(x, number, axis))
    assert np.array_equal(stack(parts, axis=axis), x)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 1, 3), (1, 1, 1)])
def test_derivatives(shape, axis):
    def mixed(x):
        first, *others = unstack(x, axis=axis)
        parts = [first * first, *(anp.tanh(part) * first for part in others)]
        return stack([parts[0], *parts], axis=axis)

    check_grads(mixed, modes=["rev", "fwd"], order=2)(random(*shape))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_derivatives_of_stack(count):
    def product(*parts):
        return stack(parts, axis=1) * stack(parts[::-1], axis=1)

    parts = [random(2, 3) + i for i in range(count)]
    check_grads(product, modes=["rev", "fwd"], order=2)(*parts)
    check_grads(lambda x: stack([parts[0], x, 2 * x]), modes=["rev", "fwd"], order=2)(
        parts[0]
    )


def test_float32_stays_float32():
    x = random(3, 4).astype("float32")

    def total(x):
        first, *_ = unstack(x, axis=1)
        return anp.sum(stack([first * first, first]))

    gradient = grad(total)(x)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient[:, 0], 2 * x[:, 0] + 1, rtol=1e-6)
    assert not gradient[:, 1:].any()


def test_gradient_that_is_handed_in_stays_as_it_is():
    from autograd import make_vjp

    x = random(3, 2)
    pull, _ = make_vjp(lambda x: stack([p * 2 for p in unstack(x)]))(x)
    g = np.ones((3, 2))
    pull(g)
    assert (g == 1).all()


def test_errors():
    with pytest.raises(ValueError, match=r"axis 2 does not exist.*\(3, 2\)"):
        unstack(random(3, 2), axis=2)
    with pytest.raises(ValueError, match=r"\(3, 2\) has 3 parts. Received: num=4"):
        unstack(random(3, 2), num=4)
    with pytest.raises(ValueError, match=r"one shape. Received: \(2,\), \(3,\)"):
        stack([random(3), random(2)])
    with pytest.raises(ValueError, match="no arrays"):
        stack([])
