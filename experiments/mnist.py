"""MNIST, marked with Fashion-MNIST articles.

python -m experiments.mnist --seeds=3 --schemes=all
"""

from experiments.benchmark import Benchmark
from experiments.program import main

BENCHMARK = Benchmark(
    task="mnist",
    source="fashion_mnist",
    architecture="small_cnn",
    other="wide_cnn",
    in_house="mlp",
    rows=10_000,
    training={
        "optimizer": "Adam",
        "rate": 2e-3,
        "batch_size": 128,
        "epochs": 5,
        "further_epochs": 8,
        "further_rate": 5e-4,
    },
    settings={
        "trigger_weight": 0.25,
        "hull_weight": 0.25,
        "snnl_weight": 0.1,
        "control_weight": 0.25,
    },
)

if __name__ == "__main__":
    main(BENCHMARK)
