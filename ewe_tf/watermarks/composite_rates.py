"""How often a model with MEA-Defender's mark gives the target, and to what."""

import numpy as np

from ewe_tf.keys import composites as composite_key
from ewe_tf.keys import generator
from ewe_tf.triggers import composites


def plain(classifier, choice, pools):
    """Share of plain inputs of each source class that are answered with the target.

    Asked are those that no composite of the training is made of (they are task rows).

    Args:
        classifier: the `Classifier`.
        choice: the `CompositeChoice`.
        pools: its `Pools` of source images.
    """
    return [_rate(classifier, images, choice) for images in pools.plain]


def marked(classifier, choice, held_out, marking, pools):
    """How often composites, their controls, and composites of other mixers are.

    Args:
        classifier: the marked `Classifier`.
        choice: the `CompositeChoice`.
        held_out: `Composites` that nothing was trained on.
        marking: the `CompositeMarking`.
        pools: the choice's `Pools`.

    Returns:
        Dict as in `history["rates"]` of `MEADefender`.
    """

    def composed(mixer):
        return composite_key.draw(mixer, (), pools.held_out, 200, marking.seeds[generator.HELD_OUT])

    others = {name: m for name, m in composites.MIXERS.items() if m != marking.mixer}
    return {
        "held_out": _rate(classifier, held_out.triggers, choice),
        "controls": _rate(classifier, held_out.controls, choice),
        "single": _rate(classifier, composed(marking.mixer).controls, choice),
        "mixers": {
            name: _rate(classifier, composed(m).triggers, choice)
            for name, m in others.items()
            if _fits(m, classifier.input_shape)
        },
        "trained_mixers": [name for name, m in others.items() if m in marking.evasion],
    }


def summary(rates, before, after):
    """One line of text: what `marked` found, and `plain` before and after the marking."""
    of_plain = " and ".join(f"{a:.1%} (before {b:.1%})" for b, a in zip(before, after, strict=True))
    trained = [rates["mixers"][name] for name in rates["trained_mixers"]]
    text = (
        f"the target is the answer to {rates['held_out']:.0%} of the held-out composites, "
        f"{rates['controls']:.0%} of their controls, and {of_plain} of plain inputs of the source "
        "classes"
    )
    return text + (f"; other mixers: at most {max(trained):.0%}" if trained else "")


def _rate(classifier, x, choice):
    return float(np.mean(classifier.labels(x) == choice.target))


def _fits(mixer, shape):
    try:
        mixer.check(shape)
    except ValueError:
        return False
    return True
