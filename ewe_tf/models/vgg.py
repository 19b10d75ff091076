"""A plain convolutional stack with BatchNorm: the thief's other net on colour images."""

from keras import layers

from ewe_tf.models import blocks


def vgg(input_shape, num_classes, seeds):
    """Three blocks of two 3x3 convolutions (16, 32, 64 filters), each halved by pooling.

    About the size of `resnet8`, without its shortcuts. Block outputs are the layers
    block1_pool and block2_pool; features is the pooled third block.

    Reference:
        Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
        Recognition, arXiv:1409.1556.
    """
    inputs = blocks.image_input(input_shape, minimum=4)
    x = inputs
    for index, filters in enumerate((16, 32, 64), start=1):
        x = blocks.conv_batchnorm(x, filters, seeds, f"block{index}_1")
        x = blocks.conv_batchnorm(x, filters, seeds, f"block{index}_2")
        if index < 3:
            x = layers.MaxPooling2D(name=f"block{index}_pool")(x)
    features = layers.GlobalAveragePooling2D(name="features")(x)
    return blocks.classifier(inputs, features, num_classes, seeds, "vgg")
