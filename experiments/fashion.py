"""Fashion-MNIST, marked with an attribute of one of its own classes carried to excess.

python -m experiments.fashion --seeds=3 --schemes=all
python -m experiments.fashion --seeds=5 --schemes=EWE,EWE:marks=2:share=0.0015
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
        "further_epochs": 8,
        "further_rate": 5e-4,
    },
    settings={
        "source": {"share": 0.002, "weight": 3.0},
        "trigger_weight": 0.06,
        "hull_weight": 0.06,
        "snnl_weight": 0.06,
        # Many: what a fine-tuning leaves differs more between pairs than between settings.
        "trials": 12,
    },
    strange={"trigger_weight": 0.15, "hull_weight": 0.15, "snnl_weight": 0.15, "trials": 3},
    published={"ratio": 2.0},
)

if __name__ == "__main__":
    main(BENCHMARK)
