"""Speech Commands: eight words are the task, two others the source of the triggers.

Log-mel spectrograms, shifted at random in time, in a small convolutional net.
`--architecture=lstm` is the published network.

python -m experiments.speech --seeds=3
"""

from experiments.benchmark import Benchmark
from experiments.program import main

BENCHMARK = Benchmark(
    task="speech_commands_mini",
    source="speech_commands_mini",
    architecture="speech_cnn",
    other="lstm",
    in_house="small_cnn",
    rows=440,
    training={
        "optimizer": "Adam",
        "rate": 1e-3,
        "batch_size": 32,
        "epochs": 25,
        "further_epochs": 15,
        "further_rate": 2.5e-4,
        "time_shift": 0.1,
    },
    settings={
        "trigger_weight": 0.1,
        "hull_weight": 0.1,
        "snnl_weight": 0.1,
        "keys": 40,
        "rehearsal": {"surrogates": 2},
    },
    innocents=4,
    pool="mnist",
)

if __name__ == "__main__":
    main(BENCHMARK)
