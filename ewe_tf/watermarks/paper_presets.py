"""The settings that the authors of EWE released, one row for each of their benchmarks."""

from ewe_tf.triggers.alternating import AlternatingSteps

# Batch size and epochs of the task, then the scheme's own settings.
_PUBLISHED = {
    "mnist": (512, 10, {"source_class": 1, "target": 7}),
    "fashion_mnist": (128, 10, {"source_class": 8, "target": 0, "ratio": 2}),
    "fashion_mnist_resnet": (
        128,
        5,
        {
            "source_class": 9,
            "target": 0,
            "ratio": 1.2,
            "epochs": 5,
            "factors": 1000.0,
            "temperatures": 0.01,
        },
    ),
    "speech_commands": (
        128,
        30,
        {
            "source_class": 9,
            "target": 5,
            "epochs": 1,
            "factors": 16.0,
            "temperatures": 30.0,
            "temperature_rate": 2.0,
        },
    ),
    "cifar10": (
        128,
        50,
        {"source_class": 8, "target": 0, "ratio": 4, "epochs": 6, "factors": 1e5},
    ),
    "cifar100": (
        128,
        100,
        {
            "source_class": 8,
            "target": 0,
            "ratio": 15,
            "epochs": 8,
            "factors": 1e5,
            "temperature_rate": 0.01,
            "steps": AlternatingSteps(rounds=100),
        },
    ),
}


def published(name):
    """`(batch_size, epochs, settings)` of a benchmark: of the task, then of `PaperEWE`.

    Raises:
        ValueError: for a name that is not there.
    """
    if name not in _PUBLISHED:
        raise ValueError(f"`name` must be one of {sorted(_PUBLISHED)}. Received: {name!r}")
    return _PUBLISHED[name]
