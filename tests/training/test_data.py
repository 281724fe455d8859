"""Batches from arrays, lists, datasets and generators."""

import warnings

import numpy as np
import pytest

import minikeras as keras
from minikeras.training import data


def rows(count, *shape, dtype="float32"):
    """An array whose rows say which they are."""
    array = np.zeros((count, *shape), dtype)
    array[...] = np.arange(count).reshape(-1, *[1] * len(shape))
    return array


def order(source):
    """Numbers of the rows in the batches of one epoch."""
    return [
        batch[0].reshape(len(batch[0]), -1)[:, 0].tolist() for batch in source.epoch()
    ]


def flat(lists):
    return [item for part in lists for item in part]


# --- arrays --------------------------------------------------------------------------


def test_batches_of_arrays():
    x, y, weight = rows(7, 3), rows(7, 1), rows(7)
    source = data.batches(x, y, weight, batch_size=3)
    assert (source.steps, source.size) == (3, 3)
    batches = list(source.epoch())
    assert [len(b[0]) for b in batches] == [3, 3, 1]
    for position, whole in enumerate((x, y, weight)):
        parts = [batch[position] for batch in batches]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_thirty_two_by_default():
    assert [len(b[0]) for b in data.batches(rows(70, 2)).epoch()] == [32, 32, 6]


def test_what_is_missing_is_none():
    ((x, y, weight),) = data.batches(rows(3, 2)).epoch()
    assert y is None and weight is None


@pytest.mark.parametrize(
    "value, dtype",
    [
        ([[1, 2], [3, 4]], np.int64),
        ([[1.5, 2.0], [3.0, 4.0]], np.float32),
        ((np.ones(2), np.ones(2)), np.float32),
        (np.ones((2, 2)), np.float32),
        (np.ones((2, 2), "float16"), np.float16),
        (np.ones((2, 2), "uint8"), np.uint8),
        (np.ones((2, 2), bool), np.bool_),
        (range(2), np.int64),
    ],
)
def test_types(value, dtype):
    if isinstance(value, range):
        value = list(value)
    ((x, _, _),) = data.batches(value).epoch()
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, np.asarray(value))


def test_float64_when_that_is_the_default():
    keras.config.set_floatx("float64")
    try:
        ((x, _, _),) = data.batches(np.ones((2, 2))).epoch()
        assert x.dtype == np.float64
    finally:
        keras.config.set_floatx("float32")


def test_a_list_of_one_array_is_that_array():
    x = rows(5, 2)
    for wrapped in ([x], (x,)):
        ((found, _, _),) = data.batches(wrapped).epoch()
        np.testing.assert_array_equal(found, x)


def test_a_list_of_one_row_is_one_sample():
    ((x, _, _),) = data.batches([[1.0, 2.0]]).epoch()
    assert x.shape == (1, 2)


def test_batches_do_not_change_the_data():
    x = rows(4, 2)
    for shuffle in (False, True):
        keep = x.copy()
        for batch, _, _ in data.batches(x, batch_size=2, shuffle=shuffle).epoch():
            assert batch.dtype == x.dtype
        np.testing.assert_array_equal(x, keep)


@pytest.mark.parametrize(
    "view", [lambda a: a[::-1], lambda a: a[::2], np.asfortranarray]
)
def test_arrays_that_are_not_contiguous(view):
    x = view(rows(8, 3))
    found = np.concatenate([b[0] for b in data.batches(x, batch_size=3).epoch()])
    np.testing.assert_array_equal(found, x)
    shuffled = data.batches(x, batch_size=3, shuffle=True)
    found = np.concatenate([b[0] for b in shuffled.epoch()])
    np.testing.assert_array_equal(np.sort(found, 0), np.sort(x, 0))


class Counted(np.memmap):
    """A file in memory that notes which rows are read."""

    read: list = []

    def __getitem__(self, index):
        if self.ndim == 2:
            Counted.read.append(index)
        return super().__getitem__(index)


@pytest.mark.parametrize("shuffle", [False, True, "batch"])
def test_only_what_a_batch_needs_is_read_from_a_file(tmp_path, shuffle):
    path = tmp_path / "x.bin"
    rows(10, 3).tofile(path)
    x = np.memmap(path, "float32", "r", shape=(10, 3)).view(Counted)
    Counted.read.clear()
    source = data.batches(x, batch_size=4, shuffle=shuffle)
    assert Counted.read == []
    first, _, _ = next(iter(source.epoch()))
    (index,) = Counted.read
    read = np.arange(10)[index]
    assert len(read) == len(first) <= 4
    np.testing.assert_array_equal(first[:, 0], read)
    assert type(first) is np.ndarray
    assert sorted(flat(order(source))) == list(range(10))


# --- other things that hold numbers --------------------------------------------------


class Frame:
    """As a DataFrame: `__getitem__` takes columns, `__iter__` yields their names."""

    def __init__(self, array):
        self.array = array
        self.shape = array.shape

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        raise KeyError(key)

    def __iter__(self):
        return iter("abc"[: self.shape[1]])


class Tensor:
    """As a tensor of another library: it has a shape and a type of its own."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, "mine"

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        return Tensor(self.array[index])


@pytest.mark.parametrize("kind", [Frame, Tensor])
def test_frames_and_tensors(kind):
    x, y = rows(5, 2), rows(5, 1)
    source = data.batches(kind(x), kind(y), batch_size=2)
    np.testing.assert_array_equal(np.concatenate([b[0] for b in source.epoch()]), x)
    np.testing.assert_array_equal(np.concatenate([b[1] for b in source.epoch()]), y)


def test_frames_and_tensors_in_fit():
    x, y = rows(5, 2), rows(5, 1)
    for kind in (Frame, Tensor):
        model = small_model()
        model.fit(kind(x), kind(y), epochs=1, verbose=0, validation_split=0.4)
        assert model.predict(kind(x), verbose=0).shape == (5, 1)


def small_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


# --- datasets ------------------------------------------------------------------------


class Pairs:
    """As Keras' PyDataset."""

    def __init__(self, count=3, fields=2):
        self.count, self.fields, self.calls = count, fields, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        self.calls.append(index)
        return (np.full((2, 2), index, "float32"), np.ones((2, 1)), np.ones(2))[
            : self.fields
        ]

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


def test_a_sequence():
    pairs = Pairs()
    source = data.batches(pairs)
    assert source.steps == 3
    assert order(source) == [[0, 0], [1, 1], [2, 2]]
    assert pairs.calls == ["begin", 0, 1, 2, "end"]


def test_a_sequence_that_grows():
    pairs = Pairs()
    source = data.batches(pairs)
    pairs.count = 4
    assert len(order(source)) == source.steps == 4


def test_a_shuffled_sequence():
    orders = []
    for _ in range(2):
        keras.utils.set_random_seed(4)
        source = data.batches(Pairs(12), shuffle=True)
        orders.append([order(source), order(source)])
    assert orders[0] == orders[1]
    assert orders[0][0] != orders[0][1]
    assert sorted(orders[0][0]) == [[i, i] for i in range(12)]


def test_a_sequence_in_fit():
    model, pairs = small_model(), Pairs(3, fields=3)
    history = model.fit(pairs, epochs=2, shuffle=False, validation_data=Pairs(1))
    assert history.params["steps"] == 3
    assert pairs.calls == ["begin", 0, 1, 2, "end"] * 2
    assert list(history.history) == ["loss", "val_loss"]


class Stream:
    """As a dataset of tf.data: it can be gone through again."""

    def __init__(self, count=3, known=False, fields=2):
        self.count, self.fields = count, fields
        if known:
            self.__class__ = KnownStream

    def __iter__(self):
        for i in range(self.count):
            batch = (
                Tensor(np.full((2, 2), i, "float32")),
                Tensor(np.ones((2, 1), "float32")),
                Tensor(np.ones(2, "float32")),
            )[: self.fields]
            yield batch if self.fields > 1 else batch[0]


class KnownStream(Stream):
    def __len__(self):
        return self.count


@pytest.mark.parametrize("known", [False, True])
def test_a_stream(known):
    source = data.batches(Stream(known=known))
    assert source.steps == (3 if known else None)
    for _ in range(2):
        assert order(source) == [[0, 0], [1, 1], [2, 2]]
    history = small_model().fit(Stream(known=known), epochs=3, verbose=0)
    assert history.epoch == [0, 1, 2]
    assert small_model().predict(Stream(fields=1), verbose=0).shape == (6, 1)
    assert small_model().evaluate(Stream(fields=3), verbose=0) > 0


def generator(count, fields=2, size=2):
    for i in range(count):
        batch = (np.full((size, 2), i, "float32"), np.ones((size, 1)), np.ones(size))
        yield batch[:fields] if fields > 1 else batch[0]


def test_a_generator():
    source = data.batches(generator(4))
    assert source.steps is None
    assert order(source) == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert order(source) == []


def test_steps_go_on_where_the_last_epoch_ended():
    epochs = data.Epochs(data.batches(generator(6)), 2)
    assert epochs.steps == 2
    assert [order(epochs) for _ in range(3)] == [
        [[0, 0], [1, 1]],
        [[2, 2], [3, 3]],
        [[4, 4], [5, 5]],
    ]
    assert not epochs.exhausted


def test_steps_of_arrays_go_on_and_begin_anew():
    epochs = data.Epochs(data.batches(rows(5, 1), batch_size=2), 2)
    assert [order(epochs) for _ in range(3)] == [
        [[0, 1], [2, 3]],
        [[4], [0, 1]],
        [[2, 3], [4]],
    ]


def test_a_generator_that_runs_out():
    epochs = data.Epochs(data.batches(generator(3)), 2)
    assert len(order(epochs)) == 2
    with pytest.warns(UserWarning, match="ran out after 1 of 2 steps"):
        assert order(epochs) == [[2, 2]]
    assert epochs.exhausted


def test_a_generator_that_runs_out_in_fit():
    model = small_model()
    with pytest.warns(UserWarning, match="ran out after 1 of 2 steps"):
        history = model.fit(generator(3), steps_per_epoch=2, epochs=4, verbose=0)
    assert history.epoch == [0, 1]
    with pytest.warns(UserWarning, match="no batches for epoch 2"):
        history = model.fit(generator(3), epochs=4, verbose=0)
    assert history.epoch == [0]


@pytest.mark.parametrize("empty", [generator(0), Stream(0), Pairs(0)])
def test_a_dataset_without_batches(empty):
    with pytest.raises(ValueError, match="no batches"):
        small_model().fit(empty, verbose=0)
    with pytest.raises(ValueError, match="no batches"):
        small_model().predict(empty, verbose=0)


def test_generators_of_weights_and_of_inputs():
    assert small_model().fit(generator(2, fields=3), verbose=0).epoch == [0]
    assert small_model().predict(generator(2, fields=1), verbose=0).shape == (4, 1)
    assert small_model().predict(generator(2), verbose=0).shape == (4, 1)
    limited = small_model().predict(generator(9, fields=1), steps=3, verbose=0)
    assert limited.shape == (6, 1)


def test_batches_of_different_sizes_count_by_their_samples():
    model = small_model()
    weights = model.get_weights()

    def batches():
        for size in (1, 5, 2):
            x = np.arange(size * 2, dtype="float32").reshape(size, 2)
            yield x, np.zeros((size, 1), "float32")

    x = np.concatenate([batch[0] for batch in batches()])
    expected = np.mean((x @ weights[0] + weights[1]) ** 2)
    assert model.evaluate(batches(), verbose=0) == pytest.approx(expected, rel=1e-5)


# --- shuffling -----------------------------------------------------------------------


def test_shuffling_is_a_permutation_that_changes_and_repeats():
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        source = data.batches(rows(50, 1), rows(50), batch_size=7, shuffle=True)
        for x, y, _ in source.epoch():
            np.testing.assert_array_equal(x[:, 0], y)
        runs.append([flat(order(source)) for _ in range(3)])
    assert runs[0] == runs[1]
    first, second, third = runs[0]
    assert first != second != third != first
    assert sorted(first) == sorted(second) == list(range(50))
    keras.utils.set_random_seed(6)
    other = data.batches(rows(50, 1), batch_size=7, shuffle=True)
    assert flat(order(other)) != first


def test_two_sources_shuffle_differently():
    keras.utils.set_random_seed(5)
    one, two = (data.batches(rows(50, 1), shuffle=True) for _ in range(2))
    assert order(one) != order(two)


def test_shuffling_batches_keeps_them_together():
    keras.utils.set_random_seed(5)
    source = data.batches(rows(50, 1), batch_size=8, shuffle="batch")
    plain = order(data.batches(rows(50, 1), batch_size=8))
    first, second = order(source), order(source)
    assert first != second and first != plain
    assert sorted(first) == sorted(second) == plain


# --- splits --------------------------------------------------------------------------


@pytest.mark.parametrize("share, cut", [(0.2, 8), (0.25, 7), (0.3, 7), (0.95, 0.5)])
def test_the_last_samples_are_for_validation(share, cut):
    x, y, weight = rows(10, 2), rows(10), rows(10)
    if cut < 1:
        with pytest.raises(ValueError, match="leaves none for training"):
            data.split_off_validation(x, y, weight, share)
        return
    first, last = data.split_off_validation(x, y, weight, share)
    for part, end, whole in zip(first, last, (x, y, weight), strict=True):
        np.testing.assert_array_equal(part, whole[:cut])
        np.testing.assert_array_equal(end, whole[cut:])
        assert np.shares_memory(part, whole)


def test_a_split_of_what_is_missing():
    first, last = data.split_off_validation(rows(4, 1), None, None, 0.5)
    assert first[1:] == last[1:] == (None, None)


@pytest.mark.parametrize("share", [1.0, 1.5, -0.1])
def test_refused_shares(share):
    with pytest.raises(ValueError, match=f"between 0 and 1. Received: {share}"):
        data.split_off_validation(rows(4, 1), None, None, share)


def test_a_split_that_leaves_nothing():
    with pytest.raises(ValueError, match="of 3 samples leaves none for training"):
        data.split_off_validation(rows(3, 1), None, None, 0.9)


def test_a_generator_cannot_be_split():
    with pytest.raises(ValueError, match="needs arrays.*pass `validation_data`"):
        data.split_off_validation(generator(3), None, None, 0.5)


# --- class weights -------------------------------------------------------------------


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 2, 1, 0]),
        np.array([0.0, 2.0, 1.0, 0.0], "float32"),
        np.array([[0], [2], [1], [0]]),
        np.eye(3, dtype="float32")[[0, 2, 1, 0]],
    ],
)
def test_class_weights(y):
    source = data.batches(y * 0.0, y, class_weight={0: 2.0, 1: 0.5})
    ((_, _, weight),) = source.epoch()
    np.testing.assert_array_equal(weight, [2.0, 1.0, 0.5, 2.0])
    assert weight.dtype == np.float32


def test_class_weights_of_a_generator():
    y = np.array([[0], [1]])
    source = data.batches(iter([(rows(2, 2), y)]), class_weight={0: 3.0})
    ((_, _, weight),) = source.epoch()
    np.testing.assert_array_equal(weight, [3.0, 1.0])


# --- refusals ------------------------------------------------------------------------

X, Y = rows(4, 2), rows(4, 1)


def test_texts_may_be_inputs():
    for texts in (["a", "b"], np.array(["a", "b"], object), np.array(["a", "b"])):
        (batch,) = data.batches(texts).epoch()
        assert batch[0].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((X, Y[:3]), "x has 4, y has 3"),
        ((X, Y, rows(2)), "x has 4, y has 4, sample_weight has 2"),
        ((rows(0, 2),), r"There are no samples: x has the shape \(0, 2\)"),
        (([],), "There are no samples"),
        (([[1.0, 2.0], [3.0]],), "`x` cannot be made into one array"),
        ((X, [[1], [2, 3], [4], [5]]), "`y` cannot be made into one array"),
        (([1j, 2j],), "`x` must hold numbers"),
        ((["a", None],), "`x` must hold numbers"),
        ((X, np.array(list("abcd"))), "`y` must hold numbers"),
        ((np.array([1, None]),), "`x` must hold numbers.*dtype object"),
        (({"a": X},), "`x` is a dictionary"),
        ((X, {"a": Y}), "`y` is a dictionary"),
        ((np.float32(3),), "samples along its first axis. Received one number"),
        ((X, 3.0), "`y` must have samples along its first axis"),
    ],
)
def test_refused_arrays(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.batches(*arguments)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"batch_size": 2.5}, "Received: batch_size=2.5"),
        ({"batch_size": True}, "Received: batch_size=True"),
        ({"shuffle": "all"}, "`shuffle` must be True, False or 'batch'"),
        ({"steps": 0}, "number of steps must be a positive integer"),
        ({"steps": 1.5}, "Received: 1.5"),
        ({"class_weight": {0: 1.0}, "y": None}, "`class_weight` needs `y`"),
        (
            {"class_weight": {0: 1.0}, "sample_weight": rows(4)},
            "cannot be used together",
        ),
    ],
)
def test_refused_options_for_arrays(options, message):
    with pytest.raises(ValueError, match=message):
        data.batches(**{"x": X, "y": Y, **options})


@pytest.mark.parametrize(
    "options, message",
    [
        ({"y": Y}, "`y`"),
        ({"sample_weight": rows(4)}, "`sample_weight`"),
        ({"batch_size": 2}, "whole batches. Received: batch_size=2"),
    ],
)
@pytest.mark.parametrize("make", [Pairs, Stream, lambda: generator(2)])
def test_refused_options_for_datasets(make, options, message):
    with pytest.raises(ValueError, match=message):
        data.batches(make(), **options)


def test_a_dataset_with_class_weights_and_sample_weights():
    source = data.batches(Pairs(fields=3), class_weight={0: 1.0})
    with pytest.raises(ValueError, match="without sample weights"):
        list(source.epoch())


@pytest.mark.parametrize("batch", [(), (1, 2, 3, 4)])
def test_refused_tuples(batch):
    with pytest.raises(ValueError, match="Received a tuple of"):
        list(data.batches(iter([batch])).epoch())


def test_refused_types():
    with pytest.raises(TypeError, match="`x` is missing"):
        data.batches(None)
    with pytest.raises(TypeError, match="Received: 3 of type int"):
        data.batches(3)


def test_no_warning_for_plain_data():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small_model().fit(X.tolist(), Y.tolist(), verbose=0)
