"""Checking a bundle of triggers: everything that its verdict rests on, worked out again."""

import dataclasses

import numpy as np

from ewe_tf.keys.digest import array_digest
from ewe_tf.keys.origin import OriginError
from ewe_tf.keys.regenerate import regenerate
from ewe_tf.keys.triggers import variety
from ewe_tf.verification.bundle_check import BundleCheck
from ewe_tf.verification.bundle_check import same_commitment
from ewe_tf.verification.bundle_check import same_verdict
from ewe_tf.verification.calibration import calibrate
from ewe_tf.verification.judging import NOT_OPPOSED
from ewe_tf.verification.judging import judge
from ewe_tf.verification.sealed import BundleError
from ewe_tf.verification.transcript import BENIGN
from ewe_tf.verification.transcript import CONTROL
from ewe_tf.verification.transcript import TRIGGER


def check_triggers(bundle, commitment, innocent_models, suspect, source):
    """The `BundleCheck` of a bundle whose key has triggers; arguments as for `check_bundle`.

    Args:
        bundle: the `Bundle`; its content may be any nonsense that has the right digests.

    Raises:
        BundleError: for what no verification makes.
        TypeError, ValueError: as `check_bundle`.
    """
    key, settings, transcript = bundle.key, bundle.settings, bundle.transcript
    try:
        own = key.commitment()
        questions = ("questions", *_questions(key, settings, transcript))
        again = judge(key, settings, transcript)
        verdict = ("verdict", *same_verdict(bundle.verdict, again))
        unshown = _unshown(key, settings)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise BundleError(f"it holds what no verification makes: {error}") from error
    checks = [("whole", True, "every digest matches")]
    if commitment is not None:
        checks.append(("commitment", *same_commitment(own, commitment)))
    else:
        unshown.insert(0, f"that {own} was published: give the published commitment")
    checks += [questions, verdict]
    if source is not None:
        checks.append(("regeneration", *_regeneration(key, source)))
    else:
        unshown.append("that the triggers follow from a seed: give their source")
    if innocent_models is not None:
        try:
            key = calibrate(dataclasses.replace(key, calibration=None), innocent_models)
            checks.append(("innocent models", True, f"{len(innocent_models)} of your own"))
            again = judge(key, settings, transcript)
        except ValueError as error:
            checks.append(("innocent models", False, str(error)))
    elif key.calibration is not None:
        unshown.append("that the innocent models were innocent: give models of your own")
    if suspect is None:
        unshown.append("that the suspect gave these answers: ask it once more")
    elif questions[1]:
        checks.append(("answers", *_asked_again(key, settings, transcript, suspect)))
    else:
        checks.append(("answers", False, "not asked again: the questions are not the key's"))
    return BundleCheck.of(checks, again, unshown)


def _unshown(key, settings):
    """What no bundle shows, whatever the one who checks has at hand."""
    triggers, _, controls = settings.material(key)
    varied = variety(triggers, controls)
    unshown = [
        "that the commitment was published before the suspect existed: triggers made for one "
        "model are answered by it alone"
    ]
    origins = [one.origin or {} for one in key.of_each_mark()]

    def stated(*names):
        return any(origin.get(name) is not None for origin in origins for name in names)

    if stated("patch", "attribute", "budget"):
        unshown.append(
            "that the patch, the natural attribute and the ascent budget, which the owner chose, "
            "were not chosen for this suspect or any model: they are in the committed key, and "
            "innocent models tell"
        )
    if stated("budget"):
        unshown.append(
            "that the ascended triggers were not made for this suspect: within the budget they may "
            "be anything, and only the date of the commitment, before the suspect existed, shows it"
        )
    if settings.part == "keys":
        unshown.append(
            "that the keys were not selected by this suspect's answers: the date of the "
            "commitment shows it, or a verdict on the held-out triggers"
        )
    if settings.sequential:
        unshown.append(f"that {NOT_OPPOSED}")
    elif settings.pairs < len(settings.distinct(key)):
        unshown.append(
            "that the number of triggers was settled before the first answer, as a fixed-size test "
            "demands: a sequential verdict does not"
        )
    return unshown + [
        "that this was the only verification of this suspect: whoever had n to choose from (parts "
        "of the key, ways of testing, keys) has n times the p-value",
        "that the triggers differ enough to count one by one, for copies of one image get one "
        f"answer from every model: look at them (they differ by {varied:.0%} of what their "
        "controls do, which the owner made as well)",
    ]


def _regeneration(key, source):
    """Whether the key's triggers follow from a source, and with what freedom."""
    try:
        found = regenerate(key, *(source if isinstance(source, tuple) else (source,)))
    except OriginError as error:
        return False, str(error)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`source` must be images or (images, classes): {error}") from error
    wrong = [f"{what} ({detail})" for what, holds, detail in found.checks if not holds]
    if wrong:
        return False, f"fails for: {', '.join(wrong)}"
    told = ("settings", "held-out triggers", "key triggers")
    details = [detail for what, _, detail in found.checks if what.endswith(told)]
    return True, "; ".join(dict.fromkeys(details))


def _questions(key, settings, transcript):
    """Whether the rows are those of the key, in the order that was settled beforehand."""
    triggers, _, controls = settings.material(key)
    order = settings.order(key).tolist()
    rows = {TRIGGER: triggers, CONTROL: controls}
    for exchange in transcript.exchanges:
        if exchange.role == BENIGN:
            continue
        if exchange.number >= len(triggers):
            return False, f"there is no {exchange.role} {exchange.number} in the key"
        if array_digest(rows[exchange.role][exchange.number]) != exchange.digest:
            return False, f"{exchange.role} {exchange.number} is not the key's"
    size = 2 + settings.cover
    if not settings.sequential:
        size *= max(len(order), 1)
    blocks = [transcript.exchanges[i : i + size] for i in range(0, len(transcript.exchanges), size)]
    for position, block in enumerate(blocks):
        expected = order[position : position + 1] if settings.sequential else order
        if len(block) != size or not all(
            sorted(e.number for e in block if e.role == role) == sorted(expected)
            for role in (TRIGGER, CONTROL)
        ):
            return False, f"block {position + 1} is not the one that the order demands"
    return True, f"{len(transcript.exchanges)} rows, the key's, in the order settled beforehand"


def _asked_again(key, settings, transcript, suspect):
    from ewe_tf.oracle import Oracle
    from ewe_tf.oracle.answers import labels

    triggers, _, controls = settings.material(key)
    rows = {TRIGGER: triggers, CONTROL: controls}
    asked = [e for e in transcript.exchanges if e.role != BENIGN]
    if not asked:
        return True, "nothing had been asked"
    oracle = suspect if isinstance(suspect, Oracle) else Oracle(suspect, answers="label")
    now = labels(oracle.predict(np.stack([rows[e.role][e.number] for e in asked])))
    same = sum(int(label) == e.label for label, e in zip(now, asked, strict=True))
    return same == len(asked), f"{same} of {len(asked)} are given again"
