"""Architectures by name: `build`, `names`, and the layers that the paper entangles."""

from ewe_tf.models.initializers import LayerSeeds
from ewe_tf.models.lstm import lstm
from ewe_tf.models.mlp import mlp
from ewe_tf.models.resnet import resnet8
from ewe_tf.models.resnet import resnet18
from ewe_tf.models.small_cnn import small_cnn
from ewe_tf.models.small_cnn import wide_cnn
from ewe_tf.models.speech_cnn import speech_cnn
from ewe_tf.models.two_conv import two_conv
from ewe_tf.models.vgg import vgg

_ARCHITECTURES = {
    function.__name__: function
    for function in (
        small_cnn,
        wide_cnn,
        mlp,
        two_conv,
        resnet8,
        resnet18,
        vgg,
        lstm,
        speech_cnn,
    )
}

_ENTANGLED = {
    "two_conv": ("conv1", "conv2", "features"),
    "resnet18": ("stage3_block2_out", "stage4_block1_out", "features"),
    "resnet8": ("stage2_block1_out", "stage3_block1_out", "features"),
    "lstm": ("lstm1", "lstm2", "features"),
}


def _known(name):
    if name not in _ARCHITECTURES:
        raise ValueError(f"`name` must be one of {', '.join(names())}. Received: name={name!r}")
    return name


def names():
    """The names that `build` knows, sorted."""
    return sorted(_ARCHITECTURES)


def build(name, input_shape, num_classes, seed=None):
    """Builds an architecture.

    Args:
        name: One of `names()`.
        input_shape: Shape of one example without the batch axis: (height, width, channels),
            for `lstm` (time, features...), for `mlp` anything.
        num_classes: Number of classes, at least 2.
        seed: Non-negative integer, or `None`. The same seed gives identical weights in any
            process; Keras' global random state is left alone.

    Returns:
        An uncompiled Functional `keras.Model` from float32 inputs to softmax probabilities of
        shape (batch, num_classes). Its last hidden layer is named `features`.

    Raises:
        ValueError: If the name is unknown, or the shape, the classes or the seed do not fit.

    Example:
        >>> model = ewe_tf.models.build("small_cnn", (28, 28, 1), 10, seed=0)
        >>> model.get_layer("features").output.shape
        (None, 64)
    """
    _known(name)
    if isinstance(num_classes, bool) or int(num_classes) != num_classes or num_classes < 2:
        raise ValueError(
            f"`num_classes` must be an integer of at least 2. Received: num_classes={num_classes!r}"
        )
    shape = tuple(int(side) for side in input_shape)
    if not shape or min(shape) < 1:
        raise ValueError(
            "`input_shape` must hold positive sizes, without the batch axis. "
            f"Received: input_shape={input_shape}"
        )
    return _ARCHITECTURES[name](shape, int(num_classes), LayerSeeds(seed))


def entangled_layers(name):
    """The layers that the published EWE entangles in this architecture, first to last.

    Networks that the paper did not use have only their last hidden layer here.

    Reference:
        Jia et al., arXiv:2002.12200: three layers of each of its networks (both convolutions
        and the dense layer of the two-conv net; for ResNet-18 the input of its last stage,
        the input of its last block and the pooled features).
    """
    return _ENTANGLED.get(_known(name), ("features",))
