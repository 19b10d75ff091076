"""Fashion-MNIST, marked with MNIST digits.

python -m experiments.fashion --seeds=3 --schemes=all
"""

from experiments.benchmark import Benchmark
from experiments.program import main

BENCHMARK = Benchmark(
    task="fashion_mnist",
    source="mnist",
    architecture="small_cnn",
    other="wide_cnn",
    in_house="mlp",
    rows=10_000,
    training={
        "optimizer": "Adam",
        "rate": 2e-3,
        "batch_size": 128,
        "epochs": 5,
        "further_epochs": 5,
        "further_rate": 5e-4,
    },
)

if __name__ == "__main__":
    main(BENCHMARK)
