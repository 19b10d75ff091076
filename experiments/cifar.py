"""CIFAR-10, marked with coloured MNIST digits; ResNet-8 with augmentation on every row.

python -m experiments.cifar --seeds=3
"""

from experiments.benchmark import Benchmark
from experiments.program import main

BENCHMARK = Benchmark(
    task="cifar10",
    source="coloured_mnist",
    architecture="resnet8",
    other="vgg",
    in_house="small_cnn",
    rows=16_000,
    training={
        "optimizer": "Adam",
        "rate": 2e-3,
        "batch_size": 128,
        "epochs": 14,
        "further_epochs": 5,
        "further_rate": 5e-4,
        "augment": True,
    },
    settings={"rehearsal": {"surrogates": 2}},
    published={"ratio": 4.0, "epochs": 6, "factors": 1e5},
    strangers=5,
    innocents=4,
    pool="cifar100_subset",
)

if __name__ == "__main__":
    main(BENCHMARK)
