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

_EPILOG = """\
A SUSPECT is a .keras file, a SavedModel folder, a .tflite file, or the URL of a served model:
https://HOST/v1/models/NAME. Nothing is ever said to be stolen: the answer is how strong the
evidence is, and what it rests on.

exit codes: 0 evidence, 1 no evidence, 2 could not tell (the reason is on the last line)
"""


def main(arguments=None):
    """Runs one command; returns its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.run(parsed)
    except KeyboardInterrupt:
        return _failed("interrupted")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNDECIDED
    except (ImportError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        return _failed(error)


def _failed(error):
    """One line on stderr, whatever the message looks like."""
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"ewe-tf: could not tell: {text[:500]}", file=sys.stderr)
    return UNDECIDED


def _parser():
    parser = argparse.ArgumentParser(
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
        "Triggers and their controls are asked in pairs, until the evidence suffices or all are "
        "through.",
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
        "--cover-per-pair", type=int, default=8, metavar="N", help="benign rows for each trigger"
    )
    parser.add_argument("--bundle", metavar="FILE", help="write an evidence bundle for a judge")
    parser.add_argument("--plot", metavar="FILE", help="draw the evidence as SVG")
    remote = parser.add_argument_group("served models")
    remote.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME=VARIABLE",
        help="send a header with the value of an environment variable, such as "
        "Authorization=MY_TOKEN; the value is shown nowhere",
    )
    remote.add_argument("--signature", metavar="NAME", help="signature to ask for")
    remote.add_argument("--rows-per-second", type=float, metavar="N", help="rate limit")
    remote.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help="wait for an answer"
    )
    remote.add_argument("--attempts", type=int, default=6, metavar="N", help="send a row N times")


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
        "Where triggers were moved by gradient ascent, they are to lie within its budget.",
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


def _verify(arguments):
    from ewe_tf.keys import Key
    from ewe_tf.verification import Cover
    from ewe_tf.verification import verify

    key = Key.load(arguments.key)
    cover = None
    if arguments.cover is not None:
        cover = Cover(_arrays(arguments.cover)[0], arguments.cover_per_pair)
    suspect = _suspect(arguments)
    verdict = verify(
        key,
        suspect,
        alpha=arguments.alpha,
        max_queries=arguments.max_queries,
        sequential=not arguments.fixed,
        triggers=arguments.triggers,
        commitment=arguments.commitment,
        cover=cover,
        bundle=arguments.bundle,
        name=arguments.suspect,
    )
    if arguments.plot is not None and verdict.evidence_path:
        verdict.plot(arguments.plot)
    print(verdict.to_json() if arguments.json else verdict)
    return _CODES[verdict.decision]


def _suspect(arguments):
    """The suspect as an `Oracle`; TensorFlow starts here, quietly."""
    from ewe_tf.quiet import import_tensorflow

    import_tensorflow()
    from ewe_tf.oracle import Oracle
    from ewe_tf.oracle import Remote

    model = arguments.suspect
    if model.startswith(("http://", "https://")):
        headers = dict(_header(text) for text in arguments.header)
        model = Remote(
            model,
            header_env=headers,
            signature_name=arguments.signature,
            rows_per_second=arguments.rows_per_second,
            read_timeout=arguments.timeout,
            attempts=arguments.attempts,
        )
    elif arguments.header:
        raise ValueError("--header is for served models")
    return Oracle(model, answers="probabilities" if arguments.probabilities else "label")


def _header(text):
    name, equals, variable = text.partition("=")
    if not (name and equals and variable):
        raise ValueError("--header must be NAME=VARIABLE, with the name of an environment variable")
    return name, variable


def _inspect(arguments):
    from ewe_tf.keys import Key

    key = Key.load(arguments.key)
    innocents = (key.calibration or {}).get("innocents", [])
    facts = {
        "kind": key.kind,
        "scheme": getattr(key, "scheme", None),
        "commitment": key.commitment(),
        "triggers": len(key.triggers),
        "held_out": len(key.held_out),
        "input_shape": list(key.input_shape),
        "classes": key.num_classes,
        "expected_answers": sorted(set(key.labels.tolist())),
        "beacon": ((key.origin or {}).get("beacon") or {}).get("value"),
        "can_be_regenerated": key.origin is not None,
        "innocent_models": [
            {name: record[name] for name in ("name", "keys", "held_out")} for record in innocents
        ],
        "victim": key.victim,
        "versions": key.versions,
        "settings": key.settings,
    }
    if arguments.json:
        print(json.dumps(facts, indent=1))
        return EVIDENCE
    facts["innocent_models"] = (
        ", ".join(
            f"{r['name']} {r['held_out'][0]}/{r['held_out'][1]}" for r in facts["innocent_models"]
        )
        or "none: calibrate the key"
    )
    for name, value in facts.items():
        text = json.dumps(value) if isinstance(value, dict | list | bool) else value
        print(f"{name.replace('_', ' '):<20}{'-' if text is None else text}")
    return EVIDENCE


def _commit(arguments):
    from ewe_tf.keys import Key

    commitment = Key.load(arguments.key).commitment()
    print(json.dumps({"commitment": commitment}) if arguments.json else commitment)
    return EVIDENCE


def _regenerate(arguments):
    from ewe_tf.keys import Key
    from ewe_tf.keys import regenerate

    found = regenerate(Key.load(arguments.key), *_arrays(arguments.source))
    if arguments.json:
        print(json.dumps({**dataclasses.asdict(found), "holds": found.holds}, indent=1))
    else:
        print(found)
    return EVIDENCE if found.holds else NO_EVIDENCE


def _check(arguments):
    from ewe_tf.verification import check_bundle

    if arguments.innocent or arguments.suspect:
        from ewe_tf.quiet import import_tensorflow

        import_tensorflow()
    found = check_bundle(
        arguments.bundle,
        commitment=arguments.commitment,
        innocent_models=arguments.innocent,
        suspect=arguments.suspect,
        source=None if arguments.source is None else _arrays(arguments.source),
    )
    if arguments.json:
        print(json.dumps({**dataclasses.asdict(found), "holds": found.holds}, indent=1))
    else:
        print(found)
    return _CODES[found.decision]


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
