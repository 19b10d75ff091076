"""Checking an evidence bundle: everything that a verdict rests on, worked out again."""

from ewe_tf.verification.bundle import read_bundle
from ewe_tf.verification.sealed import BundleError
from ewe_tf.verification.signal_check import check_signal
from ewe_tf.verification.trigger_check import check_triggers


def check_bundle(
    path,
    *,
    commitment=None,
    innocent_models=None,
    suspect=None,
    source=None,
    signal=None,
    victim=None,
):
    """Works out a bundle's verdict again from its key and its answers, trusting nothing.

    Args:
        path: the bundle.
        commitment: what the claimant published before the dispute; the key must match it (of a
            `FlipKey`, which is made of what a client was answered, the signal key that it names).
        innocent_models: models of the same task by the one who checks, of any kind that
            `ewe_tf.Oracle` takes: the key is calibrated with them instead of those that the
            claimant named. This is what a key made up of inputs that all models answer alike
            does not survive. For keys of triggers only.
        suspect: the suspect, to be asked the same rows once more.
        source: `images` or `(images, classes)` that the triggers of a key were drawn from.
        signal: for a `FlipKey`, the `SignalKey` that its coins are to follow from.
        victim: for a `SignalKey`, the undefended Keras model, which its reference is to be of: a
            reference that the owner bent against his secrets gives every model the signal.

    Returns:
        A `BundleCheck`.

    Raises:
        FileNotFoundError: if there is no such file.
        BundleError: if it is damaged or edited.
        TypeError, ValueError: for a `commitment` that is no text, an argument that is not for
            this kind of key, a `source` of another form or input shape, and models that
            `ewe_tf.Oracle` does not take.
    """
    if commitment is not None and not isinstance(commitment, str):
        raise TypeError(f"`commitment` must be hexadecimal text. Received: {commitment!r:.80}")
    bundle = read_bundle(path)
    for name, value, kind in (
        ("innocent_models", innocent_models, "triggers"),
        ("source", source, "triggers"),
        ("signal", signal, "flips"),
        ("victim", victim, "signal"),
    ):
        if value is not None and bundle.key.kind != kind:
            raise ValueError(
                f"`{name}` is not for bundles of this kind of key: {type(bundle.key).__name__}"
            )
    try:
        if bundle.key.kind == "triggers":
            return check_triggers(bundle, commitment, innocent_models, suspect, source)
        return check_signal(bundle, commitment, suspect, signal, victim)
    except BundleError as error:
        raise BundleError(f"{str(path)!r}: {error}") from error
