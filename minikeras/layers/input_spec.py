"""What a layer accepts as input, and the error when it gets something else."""

from minikeras.validation import shape_text


class InputSpec:
    """Rank and sizes that a layer's input must have.

    Args:
        shape: full shape; None for sizes that may be anything.
        ndim: exact number of axes.
        min_ndim: least number of axes.
        max_ndim: greatest number of axes.
        axes: axis -> size.

    >>> InputSpec(min_ndim=2, axes={-1: 4})
    InputSpec(min_ndim=2, axes={-1: 4})
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: tuple[int | None, ...] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
    ):
        self.dtype = dtype
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}

    def __repr__(self) -> str:
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        fields = [f"{n}={getattr(self, n)!r}" for n in names if getattr(self, n)]
        return f"InputSpec({', '.join(fields)})"

    def check(self, shape: tuple[int | None, ...], owner: str) -> None:
        """Raise a ValueError if an input of this shape does not fit.

        Args:
            shape: the input's shape, batch axis first.
            owner: class and name of the layer, for the message.
        """
        ndim = len(shape)
        if self.ndim is not None and ndim != self.ndim:
            self._refuse(f"{self.ndim} axes", shape, owner, short=ndim == self.ndim - 1)
        if self.min_ndim is not None and ndim < self.min_ndim:
            short = ndim == self.min_ndim - 1
            self._refuse(f"at least {self.min_ndim} axes", shape, owner, short)
        if self.max_ndim is not None and ndim > self.max_ndim:
            self._refuse(f"at most {self.max_ndim} axes", shape, owner)
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                self._refuse(f"size {size} on axis {axis}", shape, owner)
        if self.shape is not None:
            for size, got in zip(self.shape, shape, strict=True):
                if size is not None and got is not None and size != got:
                    self._refuse(f"shape {shape_text(self.shape)}", shape, owner)

    def _refuse(
        self,
        expected: str,
        shape: tuple[int | None, ...],
        owner: str,
        short: bool = False,
    ) -> None:
        hint = ""
        if short:
            hint = (
                ". Did you leave out the batch axis? For one sample pass `x[None]`, "
                "which has a batch axis of length 1"
            )
        raise ValueError(
            f"{owner} expects an input with {expected}, the batch axis included. "
            f"Received an input of shape {shape_text(shape)}, that is "
            f"{shape_text(shape[1:])} per sample{hint}."
        )
