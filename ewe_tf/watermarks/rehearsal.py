"""Rehearsal: the owner steals his own model, and keeps the triggers that outlast it."""

import dataclasses

import numpy as np

from ewe_tf import fields
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


def rehearse(
    rehearsal,
    task,
    innocents,
    fine_tuned,
    candidates,
    held_out,
    target,
    keys,
    other_architecture,
    epochs,
    seed,
    progress,
):
    """Steals the marked model in-house, fine-tunes the copies, and chooses keys by their answers.

    Args:
        rehearsal: the `Rehearsal`.
        task: the `Task`, whose model is marked.
        innocents: list of `InHouse` models.
        fine_tuned: list of further ones, which were fine-tuned. Either list may be empty;
            triggers that any of them answers are no keys as long as there are others.
        candidates: `(n, ...)` triggers to choose from.
        held_out: `(m, ...)` triggers that are only counted.
        target: the target class.
        keys: number of triggers to keep.
        other_architecture: function `(input_shape, num_classes) -> uncompiled model`.
        epochs: epochs of training of a copy.
        seed: integer.
        progress: called with lines of text.

    Returns:
        `(kept, found)`: rows of the candidates, and rates of all these models (JSON).
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
    tuned = in_house.all_fine_tuned(copies, data.x, data.labels, seed)
    stolen, clean, clean_tuned, stolen_tuned = (
        [model.log_probabilities(candidates) for model in models]
        for models in (copies, innocents, fine_tuned, tuned)
    )
    scores = selection.key_scores(stolen, clean, target, rehearsal.innocence)
    last = selection.unsure(scores) + 2 * selection.answered([*clean, *clean_tuned], target)
    left = selection.lasting(stolen_tuned, target)
    kept = selection.best_keys(left, keys, last)
    groups = {"surrogates": copies, "fine_tuned_surrogates": tuned, "innocents": innocents}
    if fine_tuned:
        groups["fine_tuned_innocents"] = fine_tuned
    found = {
        f"{name}_{part}": [model.rate(images, target) for model in models]
        for name, models in groups.items()
        for part, images in (("held_out", held_out), ("keys", candidates[kept]))
    }
    progress(
        f"in-house copies answer {np.mean(found['surrogates_held_out']):.0%} of the held-out "
        f"triggers, {np.mean(found['surrogates_keys']):.0%} of the keys; fine-tuned "
        f"{np.mean(found['fine_tuned_surrogates_held_out']):.0%} and "
        f"{np.mean(found['fine_tuned_surrogates_keys']):.0%}"
    )
    return kept, found
