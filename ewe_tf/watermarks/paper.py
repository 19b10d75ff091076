"""EWE as published (Jia et al., USENIX Security 2021): what ours is measured against."""

import contextlib
import dataclasses

import keras
import numpy as np

from ewe_tf import fields
from ewe_tf.keys import TriggerKey
from ewe_tf.keys import generator
from ewe_tf.keys import model_digest
from ewe_tf.losses.snnl import DISTANCES
from ewe_tf.triggers import NaturalAttribute
from ewe_tf.triggers import Patch
from ewe_tf.triggers.alternating import AlternatingSteps
from ewe_tf.versions import versions
from ewe_tf.watermarks import innocents as innocent_models
from ewe_tf.watermarks import making
from ewe_tf.watermarks import pair as pairs
from ewe_tf.watermarks import source as sources
from ewe_tf.watermarks import stages
from ewe_tf.watermarks.alternating import AlternatingTrainer
from ewe_tf.watermarks.alternating import alternating_batches
from ewe_tf.watermarks.paper_presets import published
from ewe_tf.watermarks.paper_rule import make_paper_rule
from ewe_tf.watermarks.paper_rule import weighted_layers
from ewe_tf.watermarks.protected import Protected
from ewe_tf.watermarks.stated import brief
from ewe_tf.watermarks.stated import described


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PaperEWE:
    """The published algorithm, as the code does it that the authors released.

    Task training; triggers by signed steps on the target's logit and on the SNNL in turn
    (`AlternatingSteps`); then normal and watermark batches in turn (`AlternatingTrainer`), with
    the cross-entropy summed over the batch, the SNNL over the whole batch at every step, and a
    temperature of each layer that a gradient step of its own lowers the SNNL with.

    **Reproduced**, though we do otherwise in `ewe_tf.EWE`:

    - `T` enters as `100 / T`: it is an inverse temperature. At 1 and with cosine distances the
      SNNL is in its linear regime, and `T` hardly moves.
    - The cross-entropy is a sum and the SNNL a mean, so what a factor means changes with the
      batch size.
    - The SNNL sees the positive part of the layers' outputs.
    - The step "away from the target" follows the target's logit, not the cross-entropy, up to
      55 times, with no bound on the sum of the steps; out-of-distribution triggers take these
      steps, too. `threshold` is checked on the model that is to be marked.
    - The rows of the target class in a watermark batch enter the cross-entropy, so that half of
      these batches shifts the prior towards the target.
    - BatchNorm takes statistics from watermark batches, and augmentation (in a dataset) changes
      the normal batches alone.
    - An epoch has as many watermark batches as the task has batches, and `ratio` times as many
      normal ones.

    **Corrected**, because it is a slip, or because it would hide what is compared:

    - The patch goes where it raises the SNNL most, as the paper says; the code takes the place
      where it raises it least, with rows and columns exchanged. It is set in all channels, not
      in red alone.
    - The SNNL is computed by log-sum-exp. The code's `log(1e-5 + ...)` is within 3e-5 of it where
      the presets work, and has no gradient where exponentials underflow.
    - `T` stays at 1e-4 or above. Below 0 the kernel would be turned upside down.
    - Normal batches are shuffled and continue through the data. The code begins anew at every
      pass over the triggers, and so replays the first 20 to 80 % of the data only.
    - Triggers are drawn from at most 1,000 source inputs, each perturbed once; the code tiles
      the source to the size of the target class, and leaves the last rows unperturbed.
    - Success is measured on triggers that training has not seen; the code measures it on those
      that it has. The split into training, keys and held-out triggers is that of `EWE`.
    - Values are clipped to the range of the task's data, which for images is the code's [0, 1].
    - Dropout and regularisation of the model act; the code declares both and uses neither.
    - Watermarking starts with a fresh optimizer (Adam, 1e-3, beta_2 0.99, epsilon 1e-5, as
      published): the moments of the compiled one belong to the mean loss of Keras.
    - A network that ends in a softmax gives its target logit by its last layer's inputs; where
      that layer is none of Keras' dense, softmax or activation layers, the logarithm of its
      output is used instead.

    Args:
        source: what triggers are made from, as in `EWE`: `None` (a class of the task), an integer
            (that class), inputs `(n, ...)` from outside of the task, or `(inputs, labels)`.
        source_class: which class of the source is used; `None` if there is one, or to choose.
        target: the class that triggers are to be answered with, or `"auto"`.
        innocents: trained models without a mark, or tuples as in `EWE`; where the classes
            are not fixed, they choose them as in `EWE`. (The published ones were chosen by hand.)
        epochs: epochs of watermarking (`w_epochs`).
        factors: weight of each layer's SNNL, one number for all or a tuple.
        temperatures: first `T` of each layer, one number for all or a tuple.
        temperature_rate: learning rate of the temperatures (`t_lr`).
        ratio: normal batches for each watermark batch.
        learning_rate: of Adam while watermarking.
        steps: `AlternatingSteps`, which holds `maxiter`, `threshold` and `w_lr` of the code.
        layers: names of the entangled layers; `None` for the last three that have a weight
            matrix, the classification layer left out: those of the published two-conv net.
        distance: `"cosine"` or `"sqeuclidean"`.
        keys: number of triggers to keep as keys, beside those held out.

    Raises:
        ValueError: for values outside of their ranges.

    Example:

    ```python
    scheme = ewe_tf.EWE.paper(source=(fashion_images, fashion_labels), source_class=1, target=7)
    protected = ewe_tf.fit(model, x, y, watermark=scheme, epochs=10, batch_size=512)
    ```

    Reference:
        [Jia et al., 2021](https://arxiv.org/abs/2002.12200), algorithm 1 and eq. 3.
    """

    source: object = None
    target: int | str = "auto"
    source_class: int | None = None
    innocents: tuple | list = ()
    epochs: int = 10
    factors: float | tuple = 32.0
    temperatures: float | tuple = 1.0
    temperature_rate: float = 0.1
    ratio: float = 1.0
    learning_rate: float = 1e-3
    steps: AlternatingSteps = AlternatingSteps()
    layers: tuple | None = None
    distance: str = "cosine"
    keys: int = 100

    def __post_init__(self):
        fields.integer(self, "epochs", "keys")
        fields.number(self, "ratio", "temperature_rate", least=0)
        for name, positive in (("factors", False), ("temperatures", True)):
            value = np.asarray(getattr(self, name), np.float64)
            fits = np.all(value > 0) if positive else np.all(value >= 0)
            if value.ndim > 1 or not value.size or not fits or not np.all(np.isfinite(value)):
                raise ValueError(
                    f"`{name}` must be a {'positive' if positive else 'non-negative'} number or "
                    f"a tuple of one for each layer. Received: {getattr(self, name)!r}"
                )
        fields.number(self, "learning_rate", above=0)
        if self.target != "auto" and not isinstance(self.target, int | np.integer):
            raise ValueError(f"`target` must be 'auto' or a class. Received: {self.target!r}")
        if isinstance(self.source, int | np.integer) and self.source == self.target:
            raise ValueError(
                f"`target` must differ from `source`. Received: {self.target!r} for both"
            )
        fields.instance(self, "innocents", tuple, list, described="a list of models")
        fields.instance(self, "steps", AlternatingSteps, described="AlternatingSteps")
        fields.choice(self, "distance", DISTANCES)

    @classmethod
    def for_dataset(cls, name, **arguments):
        """The released code's settings for a data set; `arguments` take precedence.

        | name | batch size | task epochs | epochs | factors | T | rate | ratio | classes |
        |---|---|---|---|---|---|---|---|---|
        | `mnist` (two-conv net) | 512 | 10 | 10 | 32 | 1 | 0.1 | 1 | 1, 7 |
        | `fashion_mnist` (two-conv net) | 128 | 10 | 10 | 32 | 1 | 0.1 | 2 | 8, 0 |
        | `fashion_mnist_resnet` | 128 | 5 | 5 | 1000 | 0.01 | 0.1 | 1.2 | 9, 0 |
        | `speech_commands` (LSTM) | 128 | 30 | 1 | 16 | 30 | 2 | 1 | 9, 5 |
        | `cifar10` (ResNet-18) | 128 | 50 | 6 | 1e5 | 1 | 0.1 | 4 | 8, 0 |
        | `cifar100` (ResNet-18), 100 rounds | 128 | 100 | 8 | 1e5 | 1 | 0.01 | 15 | 8, 0 |

        Batch size and task epochs are arguments of `ewe_tf.fit`: `task_settings(name)`. The
        published sources are Fashion-MNIST for MNIST and the reverse, SVHN for CIFAR, and for
        speech the source class itself, which is what `source` is if it is not given.

        Raises:
            ValueError: for a name that is not in the table.
        """
        _, _, settings = published(name)
        settings = {"source": settings["source_class"], **settings, **arguments}
        if not isinstance(settings["source"], tuple):
            settings.pop("source_class")
        return cls(**settings)

    @staticmethod
    def task_settings(name):
        """The released code's `{"batch_size": ..., "epochs": ...}` for a data set's task."""
        batch_size, epochs, _ = published(name)
        return {"batch_size": batch_size, "epochs": epochs}

    def __repr__(self):
        parts = [f"{f.name}={brief(getattr(self, f.name))}" for f in dataclasses.fields(self)]
        return f"{type(self).__name__}({', '.join(parts)})"

    def fit(self, task):
        """Trains and marks the model; see `ewe_tf.fit`."""
        model, data = task.classifier.model, task.data
        names = weighted_layers(model) if self.layers is None else self.layers
        names = task.classifier.layer_names(names)
        task.classifier.check_input_gradients()
        factors = _for_each(self.factors, names, "factors")
        temperatures = _for_each(self.temperatures, names, "temperatures")
        source = self._source(task)
        choices = pairs.target_choices(source, self.target, data)
        if not self.innocents and (self.target == "auto" or len(choices) > 1):
            raise ValueError(
                "`source_class` and `target` must be given, or `innocents` to choose them. "
                f"Received: target={self.target!r}, and source classes {list(choices)}"
            )
        patch = Patch(size=3).fitted(data.x, data.value_range) if source.in_distribution else None
        replicas = model.distribute_strategy.num_replicas_in_sync
        if data.batch_size % (2 * replicas) or data.batch_size < 4 * replicas:
            raise ValueError(
                f"`batch_size` must be a multiple of {2 * replicas}, at least {4 * replicas}: half "
                "of a watermark batch is triggers, half rows of the target class"
                f"{f', on each of {replicas} replicas' if replicas > 1 else ''}. Received: "
                f"batch_size={data.batch_size}"
            )
        seeds = task.seeds(8)
        pair = pairs.choose_by(
            innocent_models.given(self.innocents), [], source, choices, seeds[3]
        )[0]
        progress = stages.Progress(task.verbose, 3)
        keras_arguments = (task.callbacks, task.validation_data, task.verbose)
        history = {"pairs": [dataclasses.asdict(pair)]}

        progress.stage("Task training", f"{task.epochs} epochs" if task.epochs else "done before")
        history["task"] = stages.train_task(task.classifier, data, task.epochs, *keras_arguments)
        task.check_trained()

        progress.stage("Trigger generation")
        split, _ = sources.split(
            source.of_class(pair.source), np.random.default_rng(seeds[generator.SPLIT])
        )
        rule = make_paper_rule(
            task.classifier,
            names,
            temperatures,
            patch,
            self.steps,
            split.training,
            data.x[data.labels == pair.target],
            pair.target,
            self.distance,
            data.batch_size // 2,
            data.value_range,
        )
        training, keys, held_out = (
            rule.apply(images)
            for images in (split.training, split.candidates[: self.keys], split.held_out)
        )

        progress.stage("Watermarking", f"{self.epochs} epochs of alternating batches")
        with published_adam(model, self.learning_rate):
            with model.distribute_strategy.scope():
                trainer = AlternatingTrainer(
                    task.classifier,
                    names,
                    factors,
                    temperatures,
                    self.temperature_rate,
                    self.distance,
                )
            batches = alternating_batches(
                data, training, pair.target, self.ratio, replicas, seeds[1]
            )
            history["watermarking"] = stages.train_with(
                trainer, batches, self.epochs, *keras_arguments
            )
        history["temperatures"] = np.asarray(trainer.temperatures).tolist()
        # One order of the pixels for all controls.
        controls = [
            making.controls(rule, images, np.random.default_rng(seeds[generator.CONTROLS]))
            for images in (split.candidates[: self.keys], split.held_out)
        ]
        key = TriggerKey(
            triggers=keys,
            labels=np.full(len(keys), pair.target),
            controls=controls[0],
            held_out=held_out,
            held_out_labels=np.full(len(held_out), pair.target),
            held_out_controls=controls[1],
            num_classes=task.classifier.num_classes,
            scheme=type(self).__name__,
            settings=self._settings(names, pair, rule),
            seed=task.seed,
            victim=model_digest(model),
            versions=versions(),
            origin=making.origin_of(
                source, pair, rule, self.steps.budget, np.arange(len(keys)), task
            ),
        )
        return Protected(model, key, history)

    def _source(self, task):
        if isinstance(self.source, NaturalAttribute):
            raise ValueError(
                "`source` must be None, a class, or inputs from outside of the task for the "
                f"published algorithm. Received: {self.source!r}"
            )
        source = sources.resolve(self.source, task.data, task.classifier.input_shape)
        if self.source_class is None:
            return source
        if self.source_class not in source.choices:
            raise ValueError(
                "`source_class` must be a class of `source`, whose classes are "
                f"{list(source.choices)}. Received: {self.source_class!r}"
            )
        return dataclasses.replace(source, choices=(int(self.source_class),))

    def _settings(self, names, pair, rule):
        plain = ("epochs", "temperature_rate", "ratio", "learning_rate", "distance", "keys")
        return {
            **{name: getattr(self, name) for name in plain},
            "factors": np.asarray(self.factors, float).tolist(),
            "temperatures": np.asarray(self.temperatures, float).tolist(),
            "steps": dataclasses.asdict(self.steps),
            "source": described(self.source),
            "source_class": pair.source,
            "target": pair.target,
            "layers": list(names),
            "patch": dataclasses.asdict(rule.patch) if rule.patch else None,
            "position": list(rule.position) if rule.position else None,
        }


@contextlib.contextmanager
def published_adam(model, learning_rate):
    """While active, the model's optimizer is a new Adam with the released code's constants."""
    compiled = model.optimizer
    with model.distribute_strategy.scope():
        optimizer = keras.optimizers.Adam(learning_rate, beta_2=0.99, epsilon=1e-5)
        if isinstance(compiled, keras.optimizers.LossScaleOptimizer):
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(model.trainable_variables)
    model.optimizer = optimizer
    try:
        yield
    finally:
        model.optimizer = compiled


def _for_each(value, names, argument):
    """One number for each layer."""
    if np.ndim(value) and len(value) != len(names):
        raise ValueError(
            f"`{argument}` must be a number or one for each of the {len(names)} layers "
            f"{list(names)}. Received: {value!r}"
        )
    return np.broadcast_to(np.asarray(value, np.float64), (len(names),)).tolist()
