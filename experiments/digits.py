"""Scikit-learn's handwritten digits, marked with patterns: the demo, which downloads nothing.

python -m experiments.digits
"""

from experiments.benchmark import Benchmark
from experiments.program import main

BENCHMARK = Benchmark(
    task="digits",
    source="patterns",
    architecture="small_cnn",
    other="wide_cnn",
    in_house="mlp",
    rows=479,
    training={
        "optimizer": "Adam",
        "rate": 2e-3,
        "batch_size": 32,
        "epochs": 20,
        "further_epochs": 10,
        "further_rate": 5e-4,
    },
)

if __name__ == "__main__":
    main(BENCHMARK)
