"""Attacks that steal a model through an oracle.

Every attack is a frozen dataclass with one verb:

```python
oracle = ewe_tf.Oracle("served/mnist", answers="label", budget=10_000)
attack = ewe_tf.extraction.LabelOnly(epochs=20)
attack.queries_needed(len(images))  # rows that it will send, exactly
copy = attack.run(oracle, student, images)
```

`student` is a Keras classifier of any architecture, trained in place. A query is one row sent.
An attack that needs more rows than the oracle's budget has left raises `BudgetExceeded` before it
sends anything.

A copy is a model like any other, so a second hop is the same attack on an oracle of the copy:
`attack.run(ewe_tf.Oracle(copy), second_student, images)`.
"""

from ewe_tf.extraction.active import ActiveQueries
from ewe_tf.extraction.adaptive_knockoff import AdaptiveKnockoff
from ewe_tf.extraction.adversarial import AdversarialQueries
from ewe_tf.extraction.attack import Attack
from ewe_tf.extraction.distillation import Distillation
from ewe_tf.extraction.jacobian import JacobianAugmentation
from ewe_tf.extraction.knockoff import Knockoff
from ewe_tf.extraction.label_only import LabelOnly
from ewe_tf.extraction.mixup import MixupQueries
from ewe_tf.extraction.mixup import MixupTraining
from ewe_tf.extraction.stolen_encoder import StolenEncoder

__all__ = [
    "ActiveQueries",
    "AdaptiveKnockoff",
    "AdversarialQueries",
    "Attack",
    "Distillation",
    "JacobianAugmentation",
    "Knockoff",
    "LabelOnly",
    "MixupQueries",
    "MixupTraining",
    "StolenEncoder",
]
