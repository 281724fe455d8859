"""`ops.einsum` against NumPy's, and its derivatives of any order."""

import numpy as np
import pytest
from autograd import make_vjp
from autograd.test_util import check_grads

from minikeras.ops import summation as module
from minikeras.variables import Variable

einsum = module.einsum

CASES = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,kj->ki", (2, 3), (4, 3)),
    ("ij , jk -> ki", (2, 3), (3, 4)),
    ("ij,j->i", (2, 3), (3,)),
    ("i,i->", (5,), (5,)),
    ("i,i->i", (5,), (5,)),
    ("i,j->ij", (3,), (4,)),
    ("i,j->ji", (3,), (4,)),
    ("i,j->", (3,), (4,)),
    ("ij,ij->j", (3, 4), (3, 4)),
    ("ij,ji->", (3, 4), (4, 3)),
    ("abc,cd->abd", (2, 3, 4), (4, 5)),
    ("abc,cde->abde", (2, 3, 4), (4, 2, 3)),
    ("abde,dec->abc", (2, 3, 2, 4), (2, 4, 5)),
    ("abde,edc->acb", (2, 3, 2, 4), (4, 2, 5)),
    ("btnh,bsnh->bnts", (2, 3, 2, 4), (2, 5, 2, 4)),
    ("bnts,bsnh->btnh", (2, 2, 3, 5), (2, 5, 2, 4)),
    ("abc,bcd->abd", (2, 3, 4), (3, 4, 5)),
    ("abc,bd->acd", (2, 3, 4), (3, 5)),
    ("abc,d->ab", (2, 3, 4), (5,)),
    ("abc,c->b", (2, 3, 4), (4,)),
    ("...x,xy->...y", (4,), (4, 3)),
    ("...x,xy->...y", (2, 5, 4), (4, 3)),
    ("x...,xy->y...", (4, 2, 5), (4, 3)),
    ("a...c,...c->a...", (2, 3, 4, 5), (4, 5)),
    ("...i,...i->...", (2, 1, 4), (3, 4)),
    ("...i,...i", (2, 1, 4), (3, 4)),
    ("i...,i...->...i", (4, 2), (4, 3, 2)),
    ("i,...->i...", (3,), ()),
    (",i->i", (), (3,)),
    ("ij,ij->ij", (3, 1), (1, 4)),
    ("ij,ij->", (3, 1), (3, 4)),
    ("ij,jk->ik", (2, 1), (3, 4)),
    ("i->i", (3,)),
    ("ij->ji", (2, 3)),
    ("ba", (2, 3)),
    ("ij->", (2, 3)),
    ("ij->j", (2, 3)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iij->j", (3, 3, 2)),
    ("ijij->ji", (2, 3, 2, 3)),
    ("iii->i", (3, 3, 3)),
    ("ii,i->i", (3, 3), (3,)),
    ("...ii->...i", (2, 3, 3)),
    ("...->...", (2, 3)),
    ("i...->...", (3, 2)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ab,cd,bc->ad", (2, 3), (4, 5), (3, 4)),
    ("a,ab,abc->abc", (2,), (2, 3), (2, 3, 4)),
    ("i,i,i,i->", (3,), (3,), (3,), (3,)),
    ("ij,jk->ik", (1, 1), (1, 1)),
    ("abc,cd->abd", (1, 1, 4), (4, 1)),
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def draw(case, dtype="float64"):
    random = np.random.default_rng(len(case[0]))
    return [random.normal(size=shape).astype(dtype) for shape in case[1:]]


@every_case
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(case, dtype):
    arrays = draw(case, dtype)
    found = einsum(case[0], *arrays)
    expected = np.einsum(case[0], *(a.astype("float64") for a in arrays))
    assert found.dtype == dtype
    assert found.shape == expected.shape
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@every_case
def test_derivatives(case):
    arrays = draw(case)
    check_grads(
        lambda *x: einsum(case[0], *x) ** 2,
        tuple(range(len(arrays))),
        modes=["fwd", "rev"],
        order=2,
    )(*arrays)


@every_case
def test_gradients_keep_the_type_and_leave_the_incoming_one_alone(case):
    arrays = draw(case, "float32")
    for k, array in enumerate(arrays):

        def function(x, k=k):
            return einsum(case[0], *arrays[:k], x, *arrays[k + 1 :])

        pullback, y = make_vjp(function)(array)
        g = np.ones(y.shape, "float32")
        gradient = pullback(g)
        assert gradient.dtype == np.float32
        assert gradient.shape == array.shape
        np.testing.assert_array_equal(g, 1)


@every_case
def test_operands_are_not_written_into(case):
    arrays = draw(case)
    copies = [a.copy() for a in arrays]
    for array in arrays:
        array.flags.writeable = False
    einsum(case[0], *arrays)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_axes_without_entries():
    assert einsum("ij,jk->ik", np.ones((0, 3)), np.ones((3, 4))).shape == (0, 4)
    found = einsum("ij,jk->ik", np.ones((2, 0)), np.ones((0, 4)))
    np.testing.assert_array_equal(found, np.zeros((2, 4)))
    check_grads(lambda x, y: einsum("ij,jk->ik", x, y), (0, 1))(
        np.ones((2, 0)), np.ones((0, 4))
    )


def test_weights_lists_and_mixed_types():
    weight = Variable(np.float32([[1, 2], [3, 4]]))
    found = einsum("ij,j->i", weight, [1.0, 1.0])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [3, 7])
    assert einsum("i,i->", np.float64([1]), np.float32([2])).dtype == np.float64
    assert einsum("i,i->", np.float32([1]), np.int64([2])).dtype == np.float32
    assert einsum("i,i->", np.int32([3]), np.int32([2])) == 6


def test_three_operands_are_multiplied_in_the_cheap_order():
    long, thin = np.ones((200, 2)), np.ones((2, 200))
    sizes = []

    def watch(a, b, needed, lengths):
        term = contract(a, b, needed, lengths)
        sizes.append(term.array.size)
        return term

    contract = module._contract
    module._contract = watch
    try:
        found = einsum("ab,bc,cd->ad", thin, long, thin)
    finally:
        module._contract = contract
    assert sizes == [4, 400]
    np.testing.assert_array_equal(found, 400)


@pytest.mark.parametrize(
    "equation, shapes, message",
    [
        ("ij,jk->ik", [(2, 3)], "2 operands. Received: 1 arrays"),
        ("ij->i", [(2, 3, 4)], "'ij' does not fit. Received: an array of 3 axes"),
        ("ij...->i", [(2,)], r"'ij...' does not fit. Received: an array of 1 axes"),
        ("i1->i", [(2, 3)], "labels are letters"),
        ("i......->i", [(2, 3)], "labels are letters"),
        ("i->j", [(2,)], "each label of the result"),
        ("i->ii", [(2,)], "each label of the result"),
        ("i->i...", [(2,)], "the result has `...`, but no operand has"),
        ("i->i1", [(2,)], "each label of the result"),
        ("ij,jk->ik", [(2, 3), (4, 5)], r"length 3 in one .* 4 .* \(2, 3\), \(4, 5\)"),
        ("ii->i", [(2, 3)], "an axis has length 2 in one place and 3 in another"),
    ],
)
def test_wrong_equations(equation, shapes, message):
    with pytest.raises(ValueError, match=message) as error:
        einsum(equation, *map(np.ones, shapes))
    assert repr(equation) in str(error.value)


def test_the_form_with_lists_of_numbers_is_refused():
    with pytest.raises(TypeError, match="must be a string such as 'ij,jk->ik'"):
        einsum(np.ones((2, 3)), [0, 1])
