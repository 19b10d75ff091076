"""The channels of a layer: how active each is, and how to switch one off."""

import keras
import numpy as np

from ewe_tf.removal.classifier import head_of

_WITH_CHANNELS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
)
_FOLLOWERS = (keras.layers.BatchNormalization, keras.layers.Activation, keras.layers.ReLU)


def last_layer_with_channels(model):
    """Returns the last convolution of `model`, or else its last hidden dense layer.

    Raises:
        ValueError: If there is neither in the outermost graph of the model.
    """
    head = head_of(model)
    candidates = [
        layer for layer in model.layers if isinstance(layer, _WITH_CHANNELS) and layer is not head
    ]
    convolutions = [c for c in candidates if not isinstance(c, keras.layers.Dense)]
    if not candidates:
        raise ValueError(
            f"Model {model.name!r} has no convolution or hidden dense layer whose channels "
            "could be pruned."
        )
    return (convolutions or candidates)[-1]


def layer_with_channels(model, name):
    """Returns the layer called `name`, a convolution or dense layer.

    Raises:
        ValueError: If the outermost graph of the model has no such layer; lists those it has.
    """
    layers = {layer.name: layer for layer in model.layers if isinstance(layer, _WITH_CHANNELS)}
    if name not in layers:
        raise ValueError(
            "`layer` must name a convolution or dense layer of the model, one of "
            f"{list(layers)}. Received: layer={name!r}"
        )
    return layers[name]


def block_after(model, layer):
    """Returns `layer` and the BatchNorm and activation layers that alone consume its output."""
    block = [layer]
    while True:
        consumers = [node.operation for node in block[-1]._outbound_nodes]
        consumers = [op for op in consumers if op in model.layers]
        if len(consumers) != 1 or not isinstance(consumers[0], _FOLLOWERS):
            return block
        block.append(consumers[0])


def mean_activity(model, block, x, batch_size):
    """Returns the mean absolute activation (channels,) of a block over the rows `x`."""
    probe = keras.Model(model.inputs[0], block[-1].output)
    total, rows = 0.0, 0
    for start in range(0, len(x), batch_size):
        activation = np.abs(np.asarray(probe(x[start : start + batch_size], training=False)))
        total = total + activation.reshape(-1, activation.shape[-1]).sum(axis=0, dtype="float64")
        rows += activation[..., 0].size
    return total / rows


def silence(block, channels):
    """Sets to zero, in place, whatever lets the given channels of a block speak.

    That is the kernel and bias of the layer and, in a BatchNorm after it, mean, scale
    and offset: the channel is then zero for every input if the activation maps 0 to 0.

    Args:
        block: List of layers from `block_after`.
        channels: Integer array, indices along the last axis.
    """
    layer = block[0]
    separable = isinstance(layer, (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D))
    _zero(layer.pointwise_kernel if separable else layer.kernel, channels)
    if layer.use_bias:
        _zero(layer.bias, channels)
    for follower in block[1:]:
        if isinstance(follower, keras.layers.BatchNormalization):
            _zero(follower.moving_mean, channels)
            if follower.scale:
                _zero(follower.gamma, channels)
            if follower.center:
                _zero(follower.beta, channels)


def _zero(variable, channels):
    value = variable.numpy().copy()
    value[..., channels] = 0.0
    variable.assign(value)
