"""The grid: scheme x data set x extraction x removal chain x seed, in one command.

    python -m experiments.grid --data=digits --schemes="EWE,naive backdoor" \
        --extractions=soft,label-only --removals=finetune,prune+finetune --seeds=2 --jobs=2
    python -m experiments.grid --data=mnist --rows=4000 --schemes=EWE --jobs=2 \
        --extractions=all --removals=all --removal_of=soft
    python -m experiments.grid --ray=auto ...      # the same as tasks of a Ray cluster
    python -m experiments.grid --status ...        # what is done, what runs, what is left

The axes, each a registry of names in a file of its own:

    schemes      `schemes.SCHEMES`
    data sets    `DATA` below
    extractions  `extractions.EXTRACTIONS`, with settings: label-only:share=0.25
    removals     `removals.REMOVALS`, with settings, and chained: prune:sparsity=0.8+finetune

`cells` tells which stages an owner and a theft need, `parties` what each stage does, with the rows
of `material` and the networks of `learners`; `stages` and `cache` run them. `success` says when a
removal has succeeded: the verdict is no longer "evidence", and the thief keeps half of what the
theft gave him over training from scratch on the labels that he spends.
"""

from experiments import cifar
from experiments import digits
from experiments import fashion
from experiments import mnist
from experiments import speech
from experiments.program import main

DATA = {
    "digits": digits.BENCHMARK,
    "mnist": mnist.BENCHMARK,
    "fashion": fashion.BENCHMARK,
    "cifar": cifar.BENCHMARK,
    "speech": speech.BENCHMARK,
}

if __name__ == "__main__":
    main(DATA, default="digits")
