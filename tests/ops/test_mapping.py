"""`vectorize`: a function of numbers or small arrays over larger ones."""

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.ops.mapping import vectorize

# Products and sums are exact: BLAS adds in another order where rows lie elsewhere.
A = np.arange(6.0).reshape(2, 3) - 2.25
B = np.array([0.5, -1.5, 2.0])


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


@pytest.mark.parametrize("other", [B, A, 2.0, A[:, :1]])
def test_numbers_are_broadcast(other):
    def larger(x, y):
        return x if x > y else y

    got = vectorize(larger)(A, other)
    np.testing.assert_array_equal(got, np.vectorize(larger)(A, other))


@pytest.mark.parametrize(
    "signature, function, arguments",
    [
        ("(n),(n)->()", np.dot, (A, B)),
        ("(m,n),(n)->(m)", np.dot, (np.stack([A, 2 * A]), B)),
        ("(n)->(n)", np.cumsum, (A,)),
        ("(), (n) -> (n)", np.multiply, (B, A[0])),
        ("(n)->(),()", lambda x: (x.sum(), x.max()), (A,)),
    ],
)
def test_signatures_are_numpys(signature, function, arguments):
    got = vectorize(function, signature=signature)(*arguments)
    wanted = np.vectorize(function, signature=signature)(*arguments)
    assert isinstance(got, tuple) == isinstance(wanted, tuple)
    np.testing.assert_array_equal(got, wanted)


def test_some_arguments_are_handed_over_whole():
    function = vectorize(lambda x, table, scale: table[x] * scale, excluded={1})
    got = function(np.array([2, 0]), [1.0, 2.0, 3.0], scale=2)
    np.testing.assert_array_equal(got, [6.0, 2.0])


def test_gradients_pass_and_keep_the_number_type():
    function = vectorize(
        lambda x, y: ops.sum(ops.square(x)) * y, signature="(n),()->()"
    )
    check_grads(function, (0, 1), modes=["fwd", "rev"], order=2)(A, B[:2])
    a, b = A.astype("float32"), B[:2].astype("float32")
    for i in (0, 1):
        assert grad(lambda a, b: ops.sum(function(a, b)), i)(a, b).dtype == np.float32


def test_errors_say_what_is_wrong():
    with pytest.raises(TypeError, match="`pyfunc` must be callable. Received: 3"):
        vectorize(3)
    for wrong in ("n->n", "(n)", "(n)->(n"):
        with pytest.raises(ValueError, match="`signature` must look like"):
            vectorize(abs, signature=wrong)
    with pytest.raises(ValueError, match="is for 1 arguments. Received: 2"):
        vectorize(abs, signature="(n)->(n)")(A, B)
    with pytest.raises(ValueError, match="argument 0 must have 2 axes or more"):
        vectorize(abs, signature="(m,n)->()")(B)
    with pytest.raises(ValueError, match="there is no cell"):
        vectorize(abs)(A[:0])
