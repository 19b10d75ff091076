"""CIFAR-10, marked with an attribute of one of its own classes carried to excess.

ResNet-8 (with `--architecture=resnet18` the published one), augmentation on every row. Strange
inputs, where a scheme wants them, are coloured MNIST digits.

ResNet-8 has been run with one seed and earlier settings (docs/research.md); what is published is
the second command's.

python -m experiments.cifar --seeds=3
python -m experiments.cifar --seeds=3 --architecture=small_cnn --other=wide_cnn
"""

from experiments.benchmark import Benchmark
from experiments.program import main

BENCHMARK = Benchmark(
    task="cifar10",
    source="coloured_mnist",
    architecture="resnet8",
    other="vgg",
    # Poor on photos, and of another kind than all others: what it is drawn to, a stranger may be.
    in_house="mlp",
    rows=10_000,
    training={
        "optimizer": "Adam",
        "rate": 2e-3,
        "batch_size": 128,
        "epochs": 10,
        "further_epochs": 5,
        "further_rate": 5e-4,
        "augment": True,
    },
    settings={
        # Small weights: here they, and hardly the relabelled rows, draw plain images along. Along
        # further components there are targets that lie nearer, and cost less.
        "source": {"components": 3, "share": 0.002, "weight": 3.0, "reach": (5.5, 8.0)},
        "trigger_weight": 0.02,
        "hull_weight": 0.02,
        "snnl_weight": 0.02,
        "trials": 8,
        "rehearsal": {"surrogates": 2},
    },
    # Copies that have learned little answer whatever is strange with the target, unless much
    # weight keeps the victim from it.
    strange={
        "trigger_weight": 0.05,
        "hull_weight": 0.05,
        "snnl_weight": 0.05,
        "control_weight": 0.2,
        "trials": 3,
    },
    published={"ratio": 4.0, "epochs": 6, "factors": 1e5},
    strangers=5,
    # Where a fine-tuning on few labels brings a model is a matter of luck here: many draws.
    innocents=8,
    pool="cifar100_subset",
)

if __name__ == "__main__":
    main(BENCHMARK)
