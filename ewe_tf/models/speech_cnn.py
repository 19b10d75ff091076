"""A small convolutional network for spectrograms."""

from keras import layers

from ewe_tf.models import blocks


def speech_cnn(input_shape, num_classes, seeds):
    """Three conv + BatchNorm + pool blocks (16, 32, 64 filters), mean over time, Dense64.

    Takes (frames, bands, channels). The last block is averaged over time only: which band
    sounds matters, when it sounds does not. Layers block1_pool to block3_pool, features.
    """
    inputs = blocks.image_input(input_shape, minimum=8)
    x = inputs
    for index, filters in enumerate((16, 32, 64), start=1):
        x = blocks.conv_batchnorm(x, filters, seeds, f"block{index}")
        x = layers.MaxPooling2D(name=f"block{index}_pool")(x)
    x = layers.AveragePooling2D((x.shape[1], 1), name="time_mean")(x)
    x = layers.Flatten(name="flatten")(x)
    features = blocks.dense_features(x, 64, seeds)
    return blocks.classifier(inputs, features, num_classes, seeds, "speech_cnn")
