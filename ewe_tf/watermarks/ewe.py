"""EWE: entangled watermark embeddings (Jia et al., USENIX Security 2021), and our recipe."""

import dataclasses
import warnings

import numpy as np

from ewe_tf import fields
from ewe_tf.keys import generator
from ewe_tf.losses.snnl import DISTANCES
from ewe_tf.triggers import GradientAscent
from ewe_tf.triggers import NaturalAttribute
from ewe_tf.triggers import Patch
from ewe_tf.watermarks import fine_tuning
from ewe_tf.watermarks import in_house
from ewe_tf.watermarks import innocents as innocent_models
from ewe_tf.watermarks import pair as pairs
from ewe_tf.watermarks import source as sources
from ewe_tf.watermarks import stages
from ewe_tf.watermarks import trials
from ewe_tf.watermarks.batches import Layout
from ewe_tf.watermarks.entangled_key import Mark
from ewe_tf.watermarks.entangled_key import key_of
from ewe_tf.watermarks.entangling import Entangling
from ewe_tf.watermarks.protected import Protected
from ewe_tf.watermarks.rehearsal import Candidates
from ewe_tf.watermarks.rehearsal import Rehearsal
from ewe_tf.watermarks.rehearsal import rehearse
from ewe_tf.watermarks.stated import brief
from ewe_tf.watermarks.stated import described
from ewe_tf.watermarks.trainer import Weights


@dataclasses.dataclass(frozen=True, eq=False)
class EWE:
    """Entangled watermark embeddings.

    The task is learned (skipped for a trained model), in-house models choose the class pair,
    triggers are generated on the trained model, and a short entangled training at a lower
    learning rate puts the mark in: each step sees task rows, triggers labelled with the target
    class, hull rows (mixes of both, our extension) and rows of the target class with which the
    triggers' representations are entangled. In a rehearsal of the theft, in-house copies choose
    the keys.

    Every part has its own switch: `snnl_weight=0` leaves out the entanglement, `hull_weight=0`
    the hull rows, both the naive backdoor; `rehearsal=False` the selection of keys.

    Args:
        source: what triggers are made from. `None`: a class of the task, chosen automatically;
            an integer: that class; a `NaturalAttribute`: inputs of a class with one attribute
            carried to excess; an array `(n, ...)` of the model's input shape: inputs from
            outside of the task; a pair `(inputs, labels)`: such inputs of several classes, of
            which one is chosen.
        target: the class that triggers are to be answered with, or `"auto"`; or a dict that fixes
            the pairs to mark: from source label, a class or for a `NaturalAttribute` `(class,
            component, sign)`, to target class.
        marks: number of pairs to mark, each of another target class, with keys of its own. What a
            fine-tuning leaves differs between pairs by luck, and one of several is left more
            often than the only one. A verdict looks at all triggers and at those of each mark.
        epochs: epochs of entangled training.
        learning_rate: its constant learning rate; `None` for a quarter of the compiled one.
        trigger_weight: weight of the mean cross-entropy of the trigger rows; the task's is 1.
        hull_weight: weight of the mean cross-entropy of the hull rows; 0 for no hull mixing.
        snnl_weight: weight of the normalised SNNL; 0 for no entanglement.
        hull_share: largest share of a trigger in a hull row, in (0, 1].
        control_weight: weight of the mean cross-entropy of the control rows, the triggers'
            matched controls, to the answers that the model gave before; 0 for none. They keep
            the mark from spreading to whatever is strange, which would be no evidence.
        rows: trigger rows of a step (and as many hull rows, and target rows).
        layers: names of the layers to entangle (`"backbone/conv5"` within a nested model);
            `None` for the last hidden one.
        distance: `"cosine"` or `"sqeuclidean"`.
        patch: `Patch`, `None`, or `"auto"`: for classes of the task whose inputs have a height
            and a width.
        ascent: `GradientAscent`, `None`, or `"auto"`: for classes of the task only.
        keys: number of triggers to keep as keys of each mark, at most: there are as many to choose
            from as a third of the source class has different inputs.
        rehearsal: `Rehearsal`, or `True` for its defaults, or `False`: the first candidates
            become keys.
        innocents: number of in-house models without a mark, or a sequence of such models. They
            choose the pair and take part in the rehearsal, and should be of several kinds, as a
            stranger's will be; where the source is inside the task, fine-tuned copies of them
            rule out pairs and keys as well. 0 needs a fixed pair. A tuple `(model, inputs)` says
            what one was trained on: about these it is not asked.
        trials: number of pairs, each of another source class or direction, that are marked, stolen
            and fine-tuned in-house, the better half of more than two several times; the one (of
            `marks`, those) with most stolen and left by fine-tuning, at the least loss of the task
            and with least from innocent models, is taken. 1 takes the one that innocent models
            rank first.
        in_house_epochs: epochs of training of an in-house model; `None` for those of the task
            (of `fit`; 10 for a model that came trained) and of entangled training together: a
            copy that is trained for less answers fewer triggers than a thief's will.
        other_architecture: function `(input_shape, num_classes) -> uncompiled model`, the
            second architecture of in-house models; `None` for two dense layers.

    Raises:
        ValueError: for values outside the ranges above.

    Reference:
        [Jia et al., 2021](https://arxiv.org/abs/2002.12200), algorithm 1.
    """

    source: object = None
    target: int | str | dict = "auto"
    marks: int = 1
    epochs: int = 5
    learning_rate: float | None = None
    trigger_weight: float = 0.05
    hull_weight: float = 0.05
    snnl_weight: float = 0.05
    hull_share: float = 0.5
    control_weight: float = 0.05
    rows: int = 16
    layers: tuple | None = None
    distance: str = "cosine"
    patch: Patch | str | None = "auto"
    ascent: GradientAscent | str | None = "auto"
    keys: int = 100
    rehearsal: Rehearsal | bool = True
    innocents: object = 6
    trials: int = 3
    in_house_epochs: int | None = None
    other_architecture: object = None

    def __post_init__(self):
        fields.number(
            self, "trigger_weight", "hull_weight", "snnl_weight", "control_weight", least=0
        )
        fields.integer(self, "epochs", "keys", "trials", "marks")
        fields.integer(self, "rows", least=2)
        fields.integer(self, "in_house_epochs", optional=True)
        fields.number(self, "hull_share", above=0, most=1)
        fields.number(self, "learning_rate", above=0, optional=True)
        fields.choice(self, "distance", DISTANCES)
        if self.layers is not None and (isinstance(self.layers, str) or not len(self.layers)):
            raise ValueError(
                f"`layers` must be a tuple of names of layers, or None. Received: {self.layers!r}"
            )
        for name in ("source", "target"):
            if isinstance(getattr(self, name), bool):
                raise ValueError(
                    f"`{name}` must be no truth value. Received: {getattr(self, name)}"
                )
        if self.target != "auto" and not isinstance(self.target, int | np.integer | dict):
            raise ValueError(
                f"`target` must be 'auto', a class, or a dict from source label to class. "
                f"Received: {self.target!r}"
            )
        if self.marks > 1 and self.target != "auto":
            raise ValueError(
                "`marks` is for `target='auto'`: every mark has a target of its own, and a dict "
                f"says how many there are. Received: marks={self.marks}, target={self.target!r}"
            )
        if self.marks > self.trials:
            raise ValueError(
                f"`trials` must be at least `marks`, which are the best of the pairs that are "
                f"tried. Received: trials={self.trials}, marks={self.marks}"
            )
        if isinstance(self.source, int | np.integer) and self.source == self.target:
            raise ValueError(
                f"`target` must differ from `source`. Received: {self.target!r} for both"
            )
        for name, kind in (("patch", Patch), ("ascent", GradientAscent)):
            value = getattr(self, name)
            if value is not None and value != "auto" and not isinstance(value, kind):
                raise ValueError(
                    f"`{name}` must be a {kind.__name__}, None or 'auto'. Received: {value!r}"
                )
            if isinstance(value, kind) and isinstance(self.source, NaturalAttribute):
                raise ValueError(
                    f"`{name}` must be None or 'auto' where `source` is a NaturalAttribute, which "
                    f"moves inputs itself. Received: {value!r}"
                )
        fields.instance(self, "rehearsal", bool, Rehearsal, described="a Rehearsal, True or False")
        innocent_models.check_fields(self)

    @classmethod
    def naive_backdoor(cls, **arguments):
        """The baseline: triggers and their labels, nothing that entangles them.

        The same triggers and stages as `EWE` without SNNL and hull rows, and without trials of
        pairs (in the spirit of Adi et al., USENIX Security 2018).
        """
        plain = {"snnl_weight": 0.0, "hull_weight": 0.0, "control_weight": 0.0, "trials": 1}
        return cls(**{**plain, **arguments})

    @staticmethod
    def paper(**arguments):
        """The published algorithm, its quirks included: see `PaperEWE`."""
        from ewe_tf.watermarks.paper import PaperEWE

        return PaperEWE(**arguments)

    def __repr__(self):
        parts = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            parts.append(f"{field.name}={brief(value)}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def fit(self, task):
        """Trains and marks the model; see `ewe_tf.fit`."""
        source = sources.resolve(self.source, task.data, task.classifier.input_shape)
        choices = pairs.target_choices(source, self.target, task.data)
        rehearsal = Rehearsal() if self.rehearsal is True else self.rehearsal
        count = len(self.target) if isinstance(self.target, dict) else self.marks
        if len(choices) < count:
            raise ValueError(
                f"`marks` must be at most the number of source labels that `source` has, here "
                f"{len(choices)}: {list(choices)}. Received: {self.marks}"
            )
        fixed = len(choices) == count and all(len(allowed) == 1 for allowed in choices.values())
        if not fixed and not innocent_models.count(self.innocents):
            natural = isinstance(self.source, NaturalAttribute)
            raise ValueError(
                "`innocents` must be positive where `source` is a NaturalAttribute: they choose "
                "its class, direction and sign, unless `target` is a dict that fixes them"
                if natural
                else "`innocents` must be positive to choose a pair: give models, or a `source` "
                f"of one class and a `target`. Received: target={self.target!r}, and source "
                f"classes {list(choices)}"
            )
        innocent_models.check(self, task.classifier)
        patch, ascent = self._patch_and_ascent(source, task.data.value_range)
        names = ()
        if self.snnl_weight or patch or ascent or self.layers:
            names = task.classifier.layer_names(self.layers)
        if patch or ascent:
            task.classifier.check_input_gradients()
        seeds = task.seeds(generator.TUNINGS + 1)
        entangling = Entangling(
            names, source, patch, ascent, self.distance, self._layout(task), self._weights,
            self.epochs, self.learning_rate, seeds,
        )  # fmt: skip
        progress = stages.Progress(task.verbose, 5)
        in_house_epochs = self.in_house_epochs or (task.epochs or 10) + self.epochs
        progress.say(_cost(self, task, rehearsal, in_house_epochs, len(choices)))
        history = {}
        keras_arguments = (task.callbacks, task.validation_data, task.verbose)

        progress.stage("Task training", f"{task.epochs} epochs" if task.epochs else "done before")
        history["task"] = stages.train_task(
            task.classifier, task.data, task.epochs, *keras_arguments
        )
        task.check_trained()

        progress.stage("In-house innocent models")
        innocents = innocent_models.obtain(
            self.innocents, task, self._other, in_house_epochs, seeds[0], progress.detail
        )
        fine_tuned = []
        if source.in_distribution:
            # What fine-tuning makes of innocent models must not look like a mark that outlasted
            # it. (Of strange inputs, the controls tell.)
            known = task.data.with_classes()
            fine_tuned = fine_tuning.all_fine_tuned(
                innocents, known.x, known.labels, seeds[generator.TUNINGS],
                fine_tuning.INNOCENT_TUNINGS,
            )  # fmt: skip
            progress.detail(f"{len(fine_tuned)} fine-tuned copies of them")
        chosen = pairs.choose_by(innocents, fine_tuned, source, choices, seeds[1])
        if fixed and len(chosen) < count:
            raise ValueError(
                f"`target` fixes pairs that innocent models answer too often: of "
                f"{list(choices)} they leave {[pair.label for pair in chosen]}"
            )
        if not fixed:
            chosen = self._tried(
                trials.shortlist(chosen, self.trials, self.marks),
                entangling,
                task,
                in_house_epochs,
                seeds,
                history,
                progress,
            )
        if len(chosen) < count:
            warnings.warn(
                f"`marks` is {count}, but innocent models leave pairs of {len(chosen)} target "
                "classes only: the model carries as many marks",
                stacklevel=3,
            )
        for pair in chosen:
            progress.detail(str(pair))
        history["pairs"] = [dataclasses.asdict(pair) for pair in chosen]

        progress.stage("Trigger generation")
        marks = [entangling.triggers(task.classifier, task.data, pair) for pair in chosen]

        progress.stage("Entangled training", f"{self.epochs} epochs")
        history["entangled"] = entangling.train(task.classifier, task.data, marks, *keras_arguments)

        progress.stage("Rehearsal" if rehearsal else "Keys")
        kept = [np.arange(min(self.keys, len(mark.candidates))) for mark in marks]
        if rehearsal:
            kept, history["rehearsal"] = rehearse(
                rehearsal,
                task,
                innocents,
                fine_tuned,
                [Candidates(m.candidates, m.held_out, m.pair.target) for m in marks],
                self.keys,
                self._other,
                in_house_epochs,
                seeds[5],
                progress.detail,
            )
        marks = [Mark(mark, rows) for mark, rows in zip(marks, kept, strict=True) if len(rows)]
        for mark in marks:
            if len(mark.kept) < self.keys:
                progress.detail(
                    f"{len(mark.kept)} keys instead of {self.keys}: source class "
                    f"{mark.pair.source} has no more"
                )
        key = key_of(
            marks, source, task, type(self).__name__, self._settings(names, marks, rehearsal)
        )
        return Protected(task.classifier.model, key, history)

    def _tried(self, ranked, entangling, task, epochs, seeds, history, progress):
        """The pairs that trials choose among those that innocent models rank first."""
        if len(ranked) == 1:
            return ranked
        progress.detail(f"trying {len(ranked)} pairs")
        tried = trials.run(
            ranked, entangling.mark, task, epochs, seeds[generator.TRIALS], progress.detail
        )
        history["trials"] = [dataclasses.asdict(trial) for trial in tried]
        return trials.best(tried, self.marks)

    @property
    def _weights(self):
        return Weights(
            self.trigger_weight,
            self.hull_weight,
            self.snnl_weight,
            self.hull_share,
            self.control_weight,
        )

    def _layout(self, task):
        replicas = task.classifier.model.distribute_strategy.num_replicas_in_sync
        rows = task.data.batch_size // replicas
        if rows * replicas != task.data.batch_size or rows < self.rows:
            raise ValueError(
                f"`batch_size` must give each of the {replicas} replicas the same number of "
                f"rows, at least {self.rows} (the scheme's `rows`). Received: "
                f"batch_size={task.data.batch_size}"
            )
        return Layout(
            rows,
            self.rows,
            self.rows if self.snnl_weight else 0,
            self.rows if self.control_weight else 0,
        )

    def _patch_and_ascent(self, source, value_range):
        patch, ascent = self.patch, self.ascent
        inside = source.in_distribution and not isinstance(self.source, NaturalAttribute)
        if patch == "auto":
            patch = Patch() if inside and source.images.ndim > 2 else None
        if ascent == "auto":
            ascent = GradientAscent() if inside else None
        return patch and patch.fitted(source.images, value_range), ascent

    @property
    def _other(self):
        return self.other_architecture or in_house.default_other_architecture

    def _settings(self, names, marks, rehearsal):
        """The scheme's settings as JSON: as given, and as settled (of several marks, in lists)."""
        given = (
            "epochs", "learning_rate", "trigger_weight", "hull_weight", "snnl_weight",
            "hull_share", "control_weight", "rows", "distance", "keys", "trials",
            "in_house_epochs",
        )  # fmt: skip
        rule = marks[0].rule
        settled = {
            "source_class": [mark.pair.source for mark in marks],
            "attribute": [mark.pair.attribute and list(mark.pair.attribute) for mark in marks],
            "target": [mark.pair.target for mark in marks],
            "position": [m.rule.position and list(m.rule.position) for m in marks],
        }
        if len(marks) == 1:
            settled = {name: values[0] for name, values in settled.items()}
        return {
            **{name: getattr(self, name) for name in given},
            **settled,
            "source": described(self.source),
            "layers": list(names),
            "patch": dataclasses.asdict(rule.patch) if rule.patch else None,
            "ascent": dataclasses.asdict(rule.ascent) if rule.ascent else None,
            "rehearsal": dataclasses.asdict(rehearsal) if rehearsal else None,
            "innocents": innocent_models.count(self.innocents),
        }


def _cost(scheme, task, rehearsal, epochs, choices):
    clean = 0 if isinstance(scheme.innocents, list | tuple) else scheme.innocents
    copies = rehearsal.surrogates if rehearsal else 0
    tried = min(scheme.trials, choices)
    more = (
        f"; up to {tried} pairs tried, {scheme.epochs} + {epochs} epochs each, the better ones "
        "with further surrogates"
        if tried > 1
        else ""
    )
    return (
        f"To train: the model, {task.epochs} + {scheme.epochs} epochs; in-house, {clean} "
        f"innocent models and {copies} surrogates, {epochs} epochs each{more}; surrogates, and of "
        "a source inside the task innocent models, are fine-tuned besides"
    )
