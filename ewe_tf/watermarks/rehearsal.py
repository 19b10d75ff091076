"""Rehearsal: the owner steals his own model, and keeps the triggers that outlast it."""

import dataclasses

import numpy as np

from ewe_tf import fields
from ewe_tf.watermarks import fine_tuning
from ewe_tf.watermarks import in_house
from ewe_tf.watermarks import selection


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """How keys are chosen before deployment: by trying the theft in-house.

    Args:
        surrogates: number of models trained on the marked model's labels, in turn of the
            victim's architecture and of the other one; at least 1. Each is fine-tuned as well: of
            the triggers that the surrogates are sure of, those become keys that their fine-tuned
            copies answer most surely.
        innocence: weight of the innocent models' margin when the third of the triggers is left
            out that surrogates are least sure of; 0 leaves it out. (Triggers that an innocent
            model answers, as it is or fine-tuned, are no keys as long as there are others.)
    """

    surrogates: int = 4
    innocence: float = 2.0

    def __post_init__(self):
        fields.integer(self, "surrogates")
        fields.number(self, "innocence", least=0)


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """What a rehearsal asks about one mark.

    Attributes:
        candidates: `(n, ...)` triggers to choose keys from.
        held_out: `(m, ...)` triggers that are only counted.
        target: the target class.
    """

    candidates: np.ndarray
    held_out: np.ndarray
    target: int


def rehearse(
    rehearsal,
    task,
    innocents,
    fine_tuned,
    marks,
    keys,
    other_architecture,
    epochs,
    seed,
    progress,
):
    """Steals the marked model in-house, fine-tunes the copies, and chooses keys by their answers.

    Of several marks, one whose candidates the copies answer less than half as often as those of
    the best one gets no keys: it would only be asked about in vain.

    Args:
        rehearsal: the `Rehearsal`.
        task: the `Task`, whose model is marked.
        innocents: list of `InHouse` models.
        fine_tuned: list of further ones, which were fine-tuned. Either list may be empty;
            triggers that any of them answers are no keys as long as there are others.
        marks: list of the model's `Candidates`.
        keys: number of triggers to keep of each mark.
        other_architecture: function `(input_shape, num_classes) -> uncompiled model`.
        epochs: epochs of training of a copy.
        seed: integer.
        progress: called with lines of text.

    Returns:
        `(kept, found)`: for each mark the rows of its candidates, and rates of all these models
        on the held-out triggers and keys of the marks that have keys (JSON).
    """
    data = task.data
    copies = in_house.train_in_house(
        task.classifier,
        in_house.alternating(task.classifier, other_architecture, rehearsal.surrogates),
        data.x,
        task.classifier.labels(data.x),
        epochs,
        data.batch_size,
        np.random.default_rng(seed).integers(2**31, size=rehearsal.surrogates).tolist(),
        progress,
    )
    tuned = fine_tuning.all_fine_tuned(copies, data.x, data.labels, seed)
    stolen = [[model.log_probabilities(mark.candidates) for model in copies] for mark in marks]
    rates = [
        np.mean(np.argmax(outputs, axis=2) == mark.target)
        for mark, outputs in zip(marks, stolen, strict=True)
    ]
    kept = [np.zeros(0, np.int64)] * len(marks)
    for i, mark in enumerate(marks):
        if rates[i] >= max(rates) / 2:
            kept[i] = _keys(rehearsal, mark, keys, stolen[i], tuned, innocents, fine_tuned)
        else:
            progress(f"copies answer target class {mark.target} on {rates[i]:.0%} only: left out")
    groups = {"surrogates": copies, "fine_tuned_surrogates": tuned, "innocents": innocents}
    if fine_tuned:
        groups["fine_tuned_innocents"] = fine_tuned
    with_keys = [(mark, rows) for mark, rows in zip(marks, kept, strict=True) if len(rows)]
    parts = {
        "held_out": [(mark.held_out, mark.target) for mark, _ in with_keys],
        "keys": [(mark.candidates[rows], mark.target) for mark, rows in with_keys],
    }
    found = {
        f"{name}_{part}": [_rate(model, asked) for model in models]
        for name, models in groups.items()
        for part, asked in parts.items()
    }
    progress(
        f"in-house copies answer {np.mean(found['surrogates_held_out']):.0%} of the held-out "
        f"triggers, {np.mean(found['surrogates_keys']):.0%} of the keys; fine-tuned "
        f"{np.mean(found['fine_tuned_surrogates_held_out']):.0%} and "
        f"{np.mean(found['fine_tuned_surrogates_keys']):.0%}"
    )
    return kept, found


def _keys(rehearsal, mark, count, stolen, tuned, innocents, fine_tuned):
    """Rows of the candidates of one mark that become keys, of which copies said `stolen`."""
    clean, clean_tuned, stolen_tuned = (
        [model.log_probabilities(mark.candidates) for model in models]
        for models in (innocents, fine_tuned, tuned)
    )
    scores = selection.key_scores(stolen, clean, mark.target, rehearsal.innocence)
    answered = selection.answered([*clean, *clean_tuned], mark.target)
    last = selection.unsure(scores) + 2 * answered
    return selection.best_keys(selection.lasting(stolen_tuned, mark.target), count, last)


def _rate(model, asked):
    """Share of triggers that a model gives to their target, of pairs `(triggers, target)`."""
    hits = sum(len(x) * model.rate(x, target) for x, target in asked)
    return float(hits / sum(len(x) for x, _ in asked))
