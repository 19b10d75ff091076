"""The two-convolution network of the EWE paper's MNIST and Fashion-MNIST experiments."""

from keras import layers

from ewe_tf.models import blocks


def two_conv(input_shape, num_classes, seeds):
    """Conv32 5x5, pool, Conv64 3x3, pool, Dense128. Layers conv1, conv2, features.

    The published program declares dropout layers but never switches them on, so none are
    built here.

    Reference:
        Jia et al., Entangled Watermarks as a Defense against Model Extraction, USENIX
        Security 2021, arXiv:2002.12200, section 5.
    """
    inputs = blocks.image_input(input_shape, minimum=4)
    x = inputs
    for index, (filters, kernel) in enumerate(((32, 5), (64, 3)), start=1):
        x = layers.Conv2D(
            filters,
            kernel,
            padding="same",
            activation="relu",
            kernel_initializer=seeds.glorot(),
            name=f"conv{index}",
        )(x)
        x = layers.MaxPooling2D(name=f"pool{index}")(x)
    x = layers.Flatten(name="flatten")(x)
    features = blocks.dense_features(x, 128, seeds)
    return blocks.classifier(inputs, features, num_classes, seeds, "two_conv")
