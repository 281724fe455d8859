"""Batch normalisation, the layer with moving averages."""

from typing import Any

from minikeras import initializers
from minikeras.layers.core import known_size
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import family
from minikeras.layers.normalization import (
    BaseScale,
    as_type,
    at_least_float32,
    axis_index,
    check_axes,
)
from minikeras.ops.base import convert
from minikeras.ops.numpy import stop_gradient
from minikeras.ops.standardize import (
    masked_moments,
    normalize_batch,
    normalize_by,
)
from minikeras.validation import shape_text


@family.add()
class BatchNormalization(BaseScale):
    """In training, normalises each channel by its batch, and keeps moving averages:

    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta,
    moving = momentum * moving + (1 - momentum) * batch.

    Otherwise, and always while `trainable` is False, mean and variance are the moving
    ones. The variance is the population's.

    Args:
        axis: the axis of the channels.
        momentum: part of the moving averages that a batch leaves as it was.
        epsilon: added to the variance.
        center: whether to add beta.
        scale: whether to multiply by gamma.
        beta_initializer: of beta (channels,); likewise for gamma and both averages.
        gamma_initializer: as above.
        moving_mean_initializer: as above.
        moving_variance_initializer: as above.
        beta_regularizer: adds a function of beta to the loss; likewise for gamma.
        gamma_regularizer: as above.
        beta_constraint: applied to beta after each update; likewise for gamma.
        gamma_constraint: as above.
        renorm: not offered; the keys that go with it are read and written.
        synchronized: not offered.

    A call takes `mask`, in the shape of the input without its last axis: where it is
    False, the input does not count for mean and variance.

    Input shape: any with a known number of channels. Output shape: the same.

    Raises:
        ValueError: if `renorm` or `synchronized` is set, for an axis the input does not
            have, and for a mask of another rank.
        TypeError: if `axis` is not an integer.

    Source: Ioffe, Szegedy, arXiv 1502.03167 (2015).

    >>> import numpy as np
    >>> layer = BatchNormalization(epsilon=0.0)
    >>> layer(np.array([[1.0], [3.0]]), training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> layer.moving_mean
    array([0.02], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        super().__init__(
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        if renorm or synchronized:
            raise ValueError(
                "BatchNormalization: `renorm` and `synchronized` are not offered. "
                "Leave them out. "
                f"Received: renorm={renorm!r}, synchronized={synchronized!r}"
            )
        if isinstance(axis, list | tuple) and len(axis) == 1:
            axis = axis[0]  # as Keras 2 writes it
        self.axis = axis_index(axis, "BatchNormalization")
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.synchronized = synchronized
        self.renorm = renorm
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = renorm_momentum

    def build(self, input_shape: Any) -> None:
        check_axes(self, self.axis, input_shape)
        channels = known_size(input_shape, self.axis, self._owner())
        self._add_gamma_and_beta((channels,), self.scale, self.center)
        self.moving_mean = self.add_weight(
            (channels,),
            self.moving_mean_initializer,
            trainable=False,
            name="moving_mean",
        )
        self.moving_variance = self.add_weight(
            (channels,),
            self.moving_variance_initializer,
            trainable=False,
            name="moving_variance",
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return self._normalize(inputs, training, mask)

    def _normalize(
        self, inputs: Any, training: bool | None, mask: Any, relu: bool = False
    ) -> Any:
        """What `call` returns; with `relu`, cut off at zero."""
        x = at_least_float32(inputs)
        gamma = as_type(self.gamma, x.dtype)
        beta = as_type(self.beta, x.dtype)
        mask = None if mask is None else convert(mask)
        if mask is not None and mask.ndim != x.ndim - 1:
            raise ValueError(
                f"{self._owner()}: `mask` must have one axis less than the input. "
                f"Received: mask of shape {shape_text(mask.shape)}, input of shape "
                f"{shape_text(x.shape)}"
            )
        if training and self.trainable and mask is None:
            y, *found = normalize_batch(x, gamma, beta, self.axis, self.epsilon, relu)
            self._update(*found)
            return as_type(y, self._np_dtype)
        if training and self.trainable:
            axes = [i for i in range(x.ndim) if i != self.axis % x.ndim]
            mean, variance = masked_moments(x, mask, axes)
            self._update(mean, variance)
        else:
            mean = as_type(self.moving_mean, x.dtype)
            variance = as_type(self.moving_variance, x.dtype)
        y = normalize_by(x, mean, variance, gamma, beta, self.axis, self.epsilon, relu)
        return as_type(y, self._np_dtype)

    def _update(self, mean: Any, variance: Any) -> None:
        """Move the averages towards a batch's; they are state, never traced."""
        m = self.momentum
        for name, value in (("moving_mean", mean), ("moving_variance", variance)):
            value = stop_gradient(value)
            old = stop_gradient(getattr(self, name)).astype(value.dtype)
            setattr(self, name, old * m + value * (1 - m))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            **self._scale_config(),
            "moving_mean_initializer": initializers.serialize(
                self.moving_mean_initializer
            ),
            "moving_variance_initializer": initializers.serialize(
                self.moving_variance_initializer
            ),
            "synchronized": self.synchronized,
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
        }
