"""Checking an evidence bundle: everything that a verdict rests on, worked out again."""

import dataclasses
import math

import numpy as np

from ewe_tf.keys.digest import array_digest
from ewe_tf.keys.regenerate import regenerate
from ewe_tf.verification import verdict as verdicts
from ewe_tf.verification.bundle import BundleError
from ewe_tf.verification.bundle import read_bundle
from ewe_tf.verification.calibration import calibrate
from ewe_tf.verification.judging import judge
from ewe_tf.verification.transcript import BENIGN
from ewe_tf.verification.transcript import CONTROL
from ewe_tf.verification.transcript import TRIGGER

# Other versions of SciPy may differ in the last digits.
_TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class BundleCheck:
    """What a check found.

    Attributes:
        decision: what may be concluded: `"evidence"`, `"no evidence"`, or `"could not tell"` if
            a check failed, or nobody asked innocent models.
        reason: one sentence.
        checks: tuple of `(what, holds, detail)`.
        verdict: the `Verdict` as worked out again, with the innocent models of the one who
            checks, if there were any.
        open: what the bundle cannot show by itself.
    """

    decision: str
    reason: str
    checks: tuple
    verdict: verdicts.Verdict
    open: tuple

    @property
    def holds(self):
        """Whether every check holds."""
        return all(holds for _, holds, _ in self.checks)

    def __str__(self):
        given = ", given what is open below" if self.decision == verdicts.EVIDENCE else ""
        lines = [f"bundle  {self.decision} at level {self.verdict.alpha:g}{given}: {self.reason}"]
        lines += [f"{'yes' if holds else 'NO ':<6}  {what}: {d}" for what, holds, d in self.checks]
        return "\n".join([*lines, *(f"open    {line}" for line in self.open)])


def check_bundle(path, *, commitment=None, innocent_models=None, suspect=None, source=None):
    """Works out a bundle's verdict again from its key and its answers, trusting nothing.

    Args:
        path: the bundle.
        commitment: what the claimant published before the dispute; the key must match it.
        innocent_models: models of the same task by the one who checks, of any kind that
            `ewe_tf.Oracle` takes: the key is calibrated with them instead of those that the
            claimant named. This is what a key made up of inputs that all models answer alike
            does not survive.
        suspect: the suspect, to be asked the same rows once more.
        source: `images` or `(images, classes)` that the key's triggers were drawn from.

    Returns:
        A `BundleCheck`.

    Raises:
        FileNotFoundError: if there is no such file.
        BundleError: if it is damaged or edited.
    """
    bundle = read_bundle(path)
    try:
        return _checked(bundle, commitment, innocent_models, suspect, source)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise BundleError(f"{str(path)!r} holds what no verification makes: {error}") from error


def _checked(bundle, commitment, innocent_models, suspect, source):
    key, settings, transcript, stated = (
        bundle.key, bundle.settings, bundle.transcript, bundle.verdict,
    )  # fmt: skip
    checks, unshown = [("whole", True, "every digest matches")], []
    own = key.commitment()
    if commitment is not None:
        same = commitment.strip().lower() == own
        checks.append(("commitment", same, own if same else f"the key's is {own}"))
    else:
        unshown.append(f"that {own} was published: give the published commitment")
    unshown.append(
        "that the commitment was published before the suspect existed: triggers made for one "
        "model are answered by it alone"
    )
    checks.append(("questions", *_questions(key, settings, transcript)))
    again = judge(key, settings, transcript)
    different = _differences(stated, again)
    detail = "comes out the same" if not different else f"{', '.join(different)} come out otherwise"
    checks.append(("verdict", not different, detail))
    if source is not None:
        found = regenerate(key, *(source if isinstance(source, tuple) else (source,)))
        wrong = [what for what, holds, _ in found.checks if not holds]
        ascended = key.origin.get("budget") is not None
        inexact = "within the ascent's budget" if ascended else "up to rounding"
        exact = "bit for bit" if found.exact else inexact
        detail = f"{exact}" if not wrong else f"fails for: {', '.join(wrong)}"
        checks.append(("regeneration", found.holds, detail))
        if ascended:
            unshown.append(
                "that the ascended triggers were not made for this suspect: only the date of the "
                "commitment, before the suspect existed, shows it"
            )
    else:
        unshown.append("that the triggers follow from a seed: give their source")
    if settings.part == "keys":
        unshown.append(
            "that the keys were not selected by this suspect's answers: the date of the "
            "commitment shows it, or a verdict on the held-out triggers"
        )
    if not settings.sequential and settings.pairs < len(settings.distinct(key)):
        unshown.append(
            "that the number of triggers was settled before the first answer, as a fixed-size test "
            "demands: a sequential verdict does not"
        )
    unshown.append(
        "that this was the only verification of this suspect: whoever had n to choose from (parts "
        "of the key, ways of testing, keys) has n times the p-value"
    )
    unshown.append(
        "that the triggers differ enough to count one by one: look at them, for copies of one "
        "image get one answer from every model"
    )
    if innocent_models is not None:
        try:
            key = calibrate(dataclasses.replace(key, calibration=None), innocent_models)
            checks.append(("innocent models", True, f"{len(innocent_models)} of your own"))
            again = judge(key, settings, transcript)
        except ValueError as error:
            checks.append(("innocent models", False, str(error)))
    elif key.calibration is not None:
        unshown.append("that the innocent models were innocent: give models of your own")
    if suspect is not None:
        checks.append(("answers", *_asked_again(key, settings, transcript, suspect)))
    else:
        unshown.append("that the suspect gave these answers: ask it once more")
    failed = [what for what, holds, _ in checks if not holds]
    if failed:
        decision, reason = verdicts.UNDECIDED, f"does not hold: {', '.join(failed)}"
    else:
        decision, reason = again.decision, again.reason
    return BundleCheck(decision, reason, tuple(checks), again, tuple(unshown))


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


def _differences(stated, again):
    """Names of the fields in which two verdicts differ."""
    stated, again = (dataclasses.asdict(v) for v in (stated, again))
    return [name for name in again if not _alike(stated[name], again[name])]


def _alike(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=1e-300)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_alike(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return set(a) == set(b) and all(_alike(a[name], b[name]) for name in a)
    return type(a) is type(b) and a == b


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
