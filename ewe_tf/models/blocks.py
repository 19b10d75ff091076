"""What every architecture here shares: the input, conv + BatchNorm, and the softmax head."""

import keras
from keras import layers


def image_input(input_shape, minimum=1):
    """The input tensor of a two-dimensional network.

    Raises:
        ValueError: If the shape is not (height, width, channels) or a side is below `minimum`.
    """
    if len(input_shape) != 3 or min(input_shape[:2]) < minimum:
        raise ValueError(
            "`input_shape` must be (height, width, channels) with sides of at least "
            f"{minimum} pixels for this architecture. Received: input_shape={input_shape}"
        )
    return keras.Input(input_shape, name="inputs")


def conv_batchnorm(x, filters, seeds, name, *, stride=1, kernel=3, activation=True):
    """Convolution without bias, BatchNorm and, unless `activation` is False, ReLU."""
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=seeds.he(),
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activation else x


def residual_block(x, filters, seeds, name, *, stride=1):
    """Two 3x3 convolutions and a shortcut, projected by 1x1 where the shape changes.

    The sum after ReLU, the tensor that the next block sees, is the layer `{name}_out`.

    Reference:
        He et al., Deep Residual Learning for Image Recognition, arXiv:1512.03385.
    """
    shortcut = x
    if stride != 1 or x.shape[-1] != filters:
        shortcut = conv_batchnorm(
            x,
            filters,
            seeds,
            f"{name}_shortcut",
            stride=stride,
            kernel=1,
            activation=False,
        )
    x = conv_batchnorm(x, filters, seeds, f"{name}_1", stride=stride)
    x = conv_batchnorm(x, filters, seeds, f"{name}_2", activation=False)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_out")(x)


def dense_features(x, units, seeds):
    """The last hidden layer: `units` ReLU units named `features`."""
    return layers.Dense(
        units, activation="relu", kernel_initializer=seeds.glorot(), name="features"
    )(x)


def classifier(inputs, features, num_classes, seeds, name):
    """The model: softmax over `features`, in float32 also under mixed precision."""
    outputs = layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=seeds.glorot(),
        dtype="float32",
        name="probabilities",
    )(features)
    return keras.Model(inputs, outputs, name=name)
