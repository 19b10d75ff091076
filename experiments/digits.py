"""The demo, which downloads nothing: scikit-learn's handwritten digits.

The task is to tell the digits 0 to 7 apart; triggers are eights or nines.

    python -m experiments.digits
"""

from experiments.benchmark import Benchmark
from experiments.program import main

BENCHMARK = Benchmark(
    task="digits",
    source="digits",
    architecture="small_cnn",
    other="wide_cnn",
    in_house="mlp",
    rows=380,
    training={
        "optimizer": "Adam",
        "rate": 2e-3,
        "batch_size": 32,
        "epochs": 20,
        "further_epochs": 15,
        "further_rate": 5e-4,
    },
    settings={
        "trigger_weight": 0.15,
        "hull_weight": 0.15,
        "snnl_weight": 0.1,
        "control_weight": 0.15,
        "keys": 40,
        "rehearsal": {"surrogates": 2},
    },
    innocents=4,
    pool="photos",
)

if __name__ == "__main__":
    main(BENCHMARK, removals=["finetune", "int8"], removal_of=["soft"])
