"""Two strided convolutions and one dense layer: the smallest net that is worth stealing."""

from keras import layers

from ewe_tf.models import blocks


def _strided(name, filters, units, input_shape, num_classes, seeds):
    inputs = blocks.image_input(input_shape)
    x = inputs
    for index, (width, kernel) in enumerate(zip(filters, (5, 3), strict=True), start=1):
        x = layers.Conv2D(
            width,
            kernel,
            strides=2,
            padding="same",
            activation="relu",
            kernel_initializer=seeds.glorot(),
            name=f"conv{index}",
        )(x)
    x = layers.Flatten(name="flatten")(x)
    features = blocks.dense_features(x, units, seeds)
    return blocks.classifier(inputs, features, num_classes, seeds, name)


def small_cnn(input_shape, num_classes, seeds):
    """Conv16 5x5 stride 2, Conv32 3x3 stride 2, Dense64. Layers conv1, conv2, features."""
    return _strided("small_cnn", (16, 32), 64, input_shape, num_classes, seeds)


def wide_cnn(input_shape, num_classes, seeds):
    """The same with 24 and 48 filters and 96 units: a thief's net that the owner never saw."""
    return _strided("wide_cnn", (24, 48), 96, input_shape, num_classes, seeds)
