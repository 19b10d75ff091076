"""The command line: `ewe-tf verify`, `inspect`, `commit`, `regenerate`, `check`.

Exit codes: 0 evidence (or: it holds), 1 no evidence (or: it does not hold), 2 could not tell, with
the reason in one line.
"""

import argparse
import dataclasses
import json
import os
import sys

import numpy as np

from ewe_tf.versions import __version__

EVIDENCE, NO_EVIDENCE, UNDECIDED = 0, 1, 2
_CODES = {"evidence": EVIDENCE, "no evidence": NO_EVIDENCE, "could not tell": UNDECIDED}

# Options for served models only, and what `ewe_tf.oracle.Remote` calls them.
_SERVED = {
    "header": "header_env",
    "rows_per_second": "rows_per_second",
    "timeout": "read_timeout",
    "attempts": "attempts",
}

_EPILOG = """\
A SUSPECT is a .keras file, a SavedModel folder, a .tflite file, or the URL of a served model:
https://HOST/v1/models/NAME. Nothing is ever said to be stolen: the answer is how strong the
evidence is, and what it rests on.

exit codes: 0 evidence, 1 no evidence, 2 could not tell (the reason is told)
"""


def main(arguments=None):
    """Runs one command; returns its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        code, text = parsed.run(parsed)
    except KeyboardInterrupt:
        return _failed("interrupted")
    except Exception as error:  # A traceback would end with the exit code of "no evidence".
        return _failed(error)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # Whoever reads has read enough; the code is for somebody else.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong with the arguments on one line."""

    def error(self, message):
        self.exit(UNDECIDED, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _failed(error):
    """One line on stderr, whatever the message looks like."""
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"ewe-tf: could not tell: {text[:500]}", file=sys.stderr)
    return UNDECIDED


def _parser():
    parser = _Parser(
        prog="ewe-tf",
        description="Asks models about watermarks, and states what their answers are worth.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ewe-tf {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_verify(commands)
    _add_inspect(commands)
    _add_commit(commands)
    _add_regenerate(commands)
    _add_check(commands)
    return parser


def _command(commands, name, run, summary, details=""):
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. {details}",
        epilog="exit codes: 0 evidence (it holds), 1 no evidence (it does not), 2 could not tell",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    return parser


def _add_verify(commands):
    parser = _command(
        commands,
        "verify",
        _verify,
        "ask a suspect about a key's mark",
        "Triggers and their controls are asked in pairs, a signal's probes class by class, until "
        "the evidence suffices or all are through. A key of flips asks for labels, a signal key "
        "for probabilities.",
    )
    parser.add_argument("key", metavar="KEY", help="key file, best calibrated with innocent models")
    parser.add_argument("suspect", metavar="SUSPECT", help="model file, folder or URL")
    parser.add_argument("--alpha", type=float, default=1e-3, help="level (default: %(default)g)")
    parser.add_argument("--max-queries", type=int, metavar="N", help="send at most N rows")
    parser.add_argument(
        "--fixed", action="store_true", help="ask everything, and use the exact fixed-size tests"
    )
    parser.add_argument(
        "--triggers",
        choices=("keys", "held_out"),
        default="keys",
        help="the selected keys (default), or the held-out triggers that nothing was selected on",
    )
    parser.add_argument("--commitment", metavar="HEX", help="the commitment that was published")
    parser.add_argument(
        "--probabilities",
        action="store_true",
        help="ask for probabilities, and test the target's rank in them as well",
    )
    parser.add_argument("--cover", metavar="FILE", help=".npy file of benign rows to hide among")
    parser.add_argument(
        "--cover-per-pair", type=int, metavar="N", help="benign rows for each trigger (default: 8)"
    )
    parser.add_argument("--bundle", metavar="FILE", help="write an evidence bundle for a judge")
    parser.add_argument(
        "--client",
        action="append",
        default=[],
        metavar="NAME",
        help="signal keys: a client to tell apart (repeat); corrected for their number",
    )
    parser.add_argument("--epoch", default="", metavar="NAME", help="signal keys: of the secrets")
    parser.add_argument("--plot", metavar="FILE", help="draw the evidence as SVG")
    parser.add_argument(
        "--signature", metavar="NAME", help="served models and SavedModels: signature to ask for"
    )
    remote = parser.add_argument_group("served models")
    remote.add_argument(
        "--header",
        action="append",
        metavar="NAME=VARIABLE",
        help="send a header with the value of an environment variable, such as "
        "Authorization=MY_TOKEN; the value is shown nowhere",
    )
    remote.add_argument("--rows-per-second", type=float, metavar="N", help="rate limit")
    remote.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="wait for an answer (default: 30)"
    )
    remote.add_argument("--attempts", type=int, metavar="N", help="send a row N times (default: 6)")


def _add_inspect(commands):
    parser = _command(commands, "inspect", _inspect, "show what a key holds, without its triggers")
    parser.add_argument("key", metavar="KEY")


def _add_commit(commands):
    parser = _command(
        commands,
        "commit",
        _commit,
        "print the commitment to publish before a model is deployed",
        "It binds the key and reveals nothing of it.",
    )
    parser.add_argument("key", metavar="KEY")


def _add_regenerate(commands):
    parser = _command(
        commands,
        "regenerate",
        _regenerate,
        "draw a key's triggers again from its seed and compare",
        "Where triggers were moved by gradient ascent, they are to lie within its budget, "
        "and that within a quarter of the images' range.",
    )
    parser.add_argument("key", metavar="KEY")
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help=".npy file of the source's inputs, or .npz file with arrays `images` and `classes`",
    )


def _add_check(commands):
    parser = _command(
        commands,
        "check",
        _check,
        "work out an evidence bundle's verdict again",
        "Every digest, the order of the questions, and the decision from the recorded answers.",
    )
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--commitment", metavar="HEX", help="the commitment that was published")
    parser.add_argument(
        "--innocent",
        action="append",
        metavar="MODEL",
        help="an innocent model of your own (repeat); they replace those of the claimant",
    )
    parser.add_argument("--suspect", metavar="SUSPECT", help="ask the same rows once more")
    parser.add_argument("--source", metavar="SOURCE", help="as for `regenerate`")
    parser.add_argument(
        "--signal", metavar="KEY", help="keys of flips: the signal key that the coins follow from"
    )
    parser.add_argument(
        "--victim", metavar="MODEL", help="signal keys: .keras file of the undefended model"
    )


def _verify(arguments):
    from ewe_tf.keys import Key
    from ewe_tf.verification import Cover
    from ewe_tf.verification import verify
    from ewe_tf.verification.bundle import check_place

    key = Key.load(arguments.key)
    if arguments.plot is not None:
        if arguments.fixed or key.kind != "triggers":
            raise ValueError("--plot is for sequential verifications with keys of triggers")
        check_place(arguments.plot, "--plot")
    cover = None
    per_pair = () if arguments.cover_per_pair is None else (arguments.cover_per_pair,)
    if arguments.cover is not None:
        cover = Cover(_arrays(arguments.cover)[0], *per_pair)
    elif per_pair:
        raise ValueError("--cover-per-pair is for a --cover")
    verdict = verify(
        key,
        _suspect(arguments, key),
        alpha=arguments.alpha,
        max_queries=arguments.max_queries,
        sequential=not arguments.fixed,
        triggers=arguments.triggers,
        commitment=arguments.commitment,
        cover=cover,
        bundle=arguments.bundle,
        clients=arguments.client,
        epoch=arguments.epoch,
        name=arguments.suspect,
    )
    if arguments.plot is not None and verdict.evidence_path:
        verdict.plot(arguments.plot)
    text = verdict.to_json() if arguments.json else str(verdict)
    return _CODES[verdict.decision], text


def _suspect(arguments, key):
    """The suspect as an `Oracle`; TensorFlow starts here, quietly."""
    from ewe_tf.quiet import import_tensorflow
    from ewe_tf.quiet import known_lines_held_back

    import_tensorflow()
    from ewe_tf.oracle import Oracle

    # A signal lies in the probabilities; triggers need no more than labels.
    probabilities = arguments.probabilities or key.kind == "signal"
    with known_lines_held_back():
        return Oracle(_model(arguments), answers="probabilities" if probabilities else "label")


def _model(arguments):
    """The suspect with the options that are for its kind; any other is an error."""
    from ewe_tf.oracle import Remote
    from ewe_tf.oracle import SavedModel

    suspect, signature = arguments.suspect, arguments.signature
    options = {name: getattr(arguments, name) for name in _SERVED}
    given = {name: value for name, value in options.items() if value is not None}
    if suspect.startswith(("http://", "https://")):
        headers = dict(_header(text) for text in given.pop("header", ()))
        settings = {_SERVED[name]: value for name, value in given.items()}
        return Remote(suspect, header_env=headers, signature_name=signature, **settings)
    if given:
        option = next(iter(given)).replace("_", "-")
        raise ValueError(f"--{option} is for served models. Received: {suspect!r}")
    if signature is None:
        return suspect
    if not os.path.isdir(suspect):
        raise ValueError(
            f"--signature is for served models and SavedModel folders. Received: {suspect!r}"
        )
    return SavedModel(suspect, signature)


def _header(text):
    name, equals, variable = text.partition("=")
    if not (name and equals and variable):
        raise ValueError("--header must be NAME=VARIABLE, with the name of an environment variable")
    return name, variable


def _inspect(arguments):
    from ewe_tf.keys import Key

    key = Key.load(arguments.key)
    fields, arrays = key.secret()
    fields.pop("origin", None)
    innocents = (key.calibration or {}).get("innocents", [])
    facts = {
        "kind": key.kind,
        "commitment": key.commitment(),
        **{name: fields[name] for name in fields if name not in ("settings", "versions", "seed")},
        **{name: f"{array.dtype} {list(array.shape)}" for name, array in arrays.items()},
    }
    if key.kind == "triggers":
        facts["expected_answers"] = sorted(set(key.labels.tolist()))
        facts["trigger_variety"] = round(key.variety, 2)
        origins = [one.origin or {} for one in key.of_each_mark()]
        facts["can_be_regenerated"] = all(map(bool, origins))
        facts["beacon"] = (origins[0].get("beacon") or {}).get("value")
        facts["innocent_models"] = {r["name"]: r["held_out"] for r in innocents}
    facts |= {"versions": key.versions, "settings": key.settings}
    if arguments.json:
        return EVIDENCE, json.dumps(facts, indent=1)
    width = max(map(len, facts))
    lines = []
    for name, value in facts.items():
        text = (
            "-" if value in (None, {}) else value if isinstance(value, str) else json.dumps(value)
        )
        lines.append(f"{name.replace('_', ' '):<{width}}  {text}")
    return EVIDENCE, "\n".join(lines)


def _commit(arguments):
    from ewe_tf.keys import Key

    commitment = Key.load(arguments.key).commitment()
    return EVIDENCE, json.dumps({"commitment": commitment}) if arguments.json else commitment


def _regenerate(arguments):
    from ewe_tf.keys import Key
    from ewe_tf.keys import regenerate

    found = regenerate(Key.load(arguments.key), *_arrays(arguments.source))
    return EVIDENCE if found.holds else NO_EVIDENCE, _shown(found, arguments)


def _check(arguments):
    from ewe_tf.keys import Key
    from ewe_tf.quiet import import_tensorflow
    from ewe_tf.quiet import known_lines_held_back
    from ewe_tf.verification import check_bundle

    if arguments.innocent or arguments.suspect or arguments.signal or arguments.victim:
        import_tensorflow()
    source = None if arguments.source is None else _arrays(arguments.source)
    with known_lines_held_back():
        found = check_bundle(
            arguments.bundle,
            commitment=arguments.commitment,
            innocent_models=arguments.innocent,
            suspect=arguments.suspect,
            source=source,
            signal=None if arguments.signal is None else Key.load(arguments.signal),
            victim=None if arguments.victim is None else _keras_model(arguments.victim),
        )
    return _CODES[found.decision], _shown(found, arguments)


def _keras_model(path):
    import keras

    return keras.saving.load_model(path)


def _shown(found, arguments):
    """A `Regeneration` or `BundleCheck` as text."""
    if not arguments.json:
        return str(found)
    return json.dumps({**dataclasses.asdict(found), "holds": found.holds}, indent=1)


def _arrays(path):
    """`(images,)` of a .npy file, `(images, classes)` of a .npz file."""
    try:
        stored = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path!r}") from None
    except Exception as error:
        raise ValueError(f"{path!r} is no .npy or .npz file ({type(error).__name__})") from None
    if isinstance(stored, np.ndarray):
        return (stored,)
    with stored:
        if "images" not in stored.files or not set(stored.files) <= {"images", "classes"}:
            raise ValueError(
                f"{path!r} must hold the arrays `images` and `classes`. It holds: {stored.files}"
            )
        return tuple(stored[name] for name in ("images", "classes") if name in stored.files)


if __name__ == "__main__":
    sys.exit(main())
