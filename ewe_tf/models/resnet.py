"""Residual networks: ResNet-8 for two cores, ResNet-18 as published."""

from keras import layers

from ewe_tf.models import blocks


def _resnet(name, widths, blocks_per_stage, input_shape, num_classes, seeds):
    inputs = blocks.image_input(input_shape, minimum=2 ** (len(widths) - 1))
    x = blocks.conv_batchnorm(inputs, widths[0], seeds, "stem")
    for stage, filters in enumerate(widths, start=1):
        for block in range(1, blocks_per_stage + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = blocks.residual_block(
                x, filters, seeds, f"stage{stage}_block{block}", stride=stride
            )
    features = layers.GlobalAveragePooling2D(name="features")(x)
    return blocks.classifier(inputs, features, num_classes, seeds, name)


def resnet8(input_shape, num_classes, seeds):
    """Three stages of one block, 16, 32 and 64 filters: 79k parameters on CIFAR-10.

    Block outputs are named stage1_block1_out to stage3_block1_out; features is the pooled
    last one.
    """
    return _resnet("resnet8", (16, 32, 64), 1, input_shape, num_classes, seeds)


def resnet18(input_shape, num_classes, seeds):
    """Four stages of two blocks, 64 to 512 filters, with the 3x3 stem for small images.

    Block outputs are named stage1_block1_out to stage4_block2_out; features is the pooled
    last one.

    Reference:
        He et al., Deep Residual Learning for Image Recognition, arXiv:1512.03385.
    """
    return _resnet("resnet18", (64, 128, 256, 512), 2, input_shape, num_classes, seeds)
