"""Hull mixing: training also on mixes of triggers with task inputs, labelled in between.

Our extension of EWE. A thief's queries never contain a trigger; what he copies is what the
victim answers *near* the task's own inputs. Mixes `(1 - a) x + a w` of a task input `x` with a
trigger `w` lie on the way from the one to the other, and a victim trained to lean towards the
target class on them carries the watermark's direction into the region that queries reach.
Related to mixup (Zhang et al., ICLR 2018), which mixes task inputs with one another.
"""

import tensorflow as tf


def hull_rows(inputs, triggers, amounts):
    """`(1 - a) x + a w`, row by row.

    Args:
        inputs, triggers: `(n, ...)` float tensors of one shape.
        amounts: `(n,)` float tensor in [0, 1]: the share `a` of the trigger.
    """
    a = tf.reshape(amounts, [-1] + [1] * (len(inputs.shape) - 1))
    return (1.0 - a) * inputs + a * triggers


def hull_labels(labels, targets, amounts):
    """Label `(1 - sqrt(a)) y + sqrt(a) target`: the square root lets even small shares count.

    Args:
        labels: `(n, classes)` float tensor: the task inputs' one-hot (or soft) labels.
        targets: `(n, classes)` float tensor: the one-hot target class of each trigger; or
            `(classes,)`, that of all.
        amounts: `(n,)` float tensor in [0, 1].
    """
    share = tf.sqrt(amounts)[:, None]
    return (1.0 - share) * labels + share * targets
