"""docs/results.md from the JSON lines beside it: `python -m experiments.results_page`.

The lines are written by `python -m experiments.table`, one for each model that was asked.
"""

import json
import pathlib
import statistics

from absl import app
from absl import flags

from ewe_tf.report import records as records_lib
from ewe_tf.report.files import replace_text
from ewe_tf.report.table import percent

FLAGS = flags.FLAGS

# The columns of copies: role in the records, and title.
COPIES = {
    "label-only": "label-only",
    "other architecture": "label-only, other network",
    "half the queries": "label-only, half the queries",
    "soft": "soft labels",
}
TITLES = {
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "speech_commands_mini": "Speech Commands (a subset)",
    "digits": "Handwritten digits (scikit-learn)",
}
# What the papers print for a copy of the same architecture. EWE's thief holds the victim's own
# training data and takes labels (Jia et al., 2021, table 1); MEA-Defender's takes probabilities,
# by distillation (Lv et al., 2024, table I of the preprint).
PUBLISHED = {
    "mnist": "EWE 65.7 ± 10.9",
    "fashion_mnist": "EWE 58.1 ± 13.0; MEA-Defender 70.8 (soft labels)",
    "cifar10": "EWE 18.7 ± 12.3; MEA-Defender 84.4 (soft labels)",
    "speech_commands_mini": "EWE 41.7 ± 22.4 (on the whole data set)",
}
KEPT = (
    "experiment", "dataset", "scheme", "seed", "role", "name", "accuracy", "rate_held_out",
    "rate_key", "rate_controls", "n", "decision", "p_value", "queries", "price", "twin_accuracy",
    "key_refused", "pair", "pairs", "thief_queries", "command", "hardware", "rows",
    "seconds",
)  # fmt: skip


def kept(record):
    """The fields of a record that the repository keeps."""
    return {name: record[name] for name in KEPT if record.get(name) is not None}


def markdown(records):
    """The whole page: a section for each data set.

    Args:
        records: list of records as `ewe_tf.report.records` describes them.
    """
    parts = [_HEAD]
    for (dataset,), mine in records_lib.group(records, "dataset").items():
        parts.append(_section(dataset, mine))
    return "\n".join(parts)


_HEAD = """# Results

Every figure is per cent unless a column says otherwise, and every line below is made of JSON
lines in `docs/results/`, one for each model, by `python -m experiments.results_page`. Thieves use
data that is disjoint from the victim's.

- **accuracy**: of the victim and of its label-only copy, on the whole test set.
- **price**: points of accuracy that the mark costs, against clean twins that trained equally long
  (two models an arm and seed).
- **held-out** triggers are those of the key's rule that neither training nor selection has seen;
  **selected** ones are the keys that a verdict asks, chosen on in-house surrogates.
- Mean ± standard deviation over the seeds, the worst seed in brackets; of innocent models the
  mean and, in brackets, the largest rate.
- **innocent models** calibrate the key, so that evidence on one of them would be a fault; others
  are asked by `python -m experiments.innocence`. Where there are fifteen a seed, ten of them are
  fine-tuned copies of the other five.
- **evidence**: verdicts of evidence at level 1e-3 among the verdicts; **queries**: its median
  number on label-only copies of the victim's architecture, controls included, among the verdicts
  of evidence.
"""


def _section(dataset, records):
    commands = dict.fromkeys(r["command"] for r in records if r.get("command"))
    hardware = dict.fromkeys(r["hardware"] for r in records if r.get("hardware"))
    rows = dict.fromkeys(str(r["rows"]) for r in records if r.get("rows"))
    lines = [f"\n## {TITLES.get(dataset, dataset)}\n"]
    lines += [f"    {command}" for command in commands]
    lines.append(
        f"\nSeeds from 0 on; {' or '.join(rows)} rows for each party; {'; '.join(hardware)}."
    )
    if dataset in PUBLISHED:
        lines.append(f"As published, on copies of the same network: {PUBLISHED[dataset]}.")
    schemes = records_lib.group(records, "scheme")
    lines += ["\n### Copies and innocent models, held-out triggers\n", *_rates(schemes)]
    lines += ["\n### Selected keys and verdicts\n", *_verdicts(schemes)]
    return "\n".join(lines) + "\n"


def _rates(schemes):
    head = [
        "scheme", "seeds", "accuracy, victim / label-only copy", "price, points", "victim",
        *COPIES.values(), "innocent models",
    ]  # fmt: skip
    rows = [head, ["---"] * len(head)]
    for (scheme,), mine in schemes.items():
        prices = records_lib.values(mine, "price")
        victims = [r for r in mine if r["role"] == "victim"]
        accuracies = [_mean(_of(mine, role, "accuracy")) for role in ("victim", "label-only")]
        rows.append(
            [
                scheme,
                str(len({r["seed"] for r in mine})),
                " / ".join("-" if a is None else percent(a) for a in accuracies),
                _spread(prices, "{:.2f}".format, worst=max) if prices else "-",
                percent(_mean(records_lib.values(victims, "rate_held_out"))),
                *(_of_copies(mine, role, "rate_held_out") for role in COPIES),
                _spread(_of(mine, "innocent", "rate_held_out"), worst=max, deviation=False),
            ]
        )
    return [f"| {' | '.join(row)} |" for row in rows]


def _verdicts(schemes):
    head = [
        "scheme", "label-only", "label-only, other network", "innocent models",
        "evidence on copies", "evidence on innocent models", "queries", "keys refused",
    ]  # fmt: skip
    rows = [head, ["---"] * len(head)]
    for (scheme,), mine in schemes.items():
        copies = [r for r in mine if r["role"] in COPIES]
        innocent = [r for r in mine if r["role"] == "innocent"]
        asked = [
            r["queries"]
            for r in mine
            if r["role"] == "label-only" and r.get("decision") == "evidence"
        ]
        victims = [r for r in mine if r["role"] == "victim"]
        refused = sum(r.get("key_refused") is not None for r in victims)
        rows.append(
            [
                scheme,
                _of_copies(mine, "label-only", "rate_key"),
                _of_copies(mine, "other architecture", "rate_key"),
                _spread(_of(mine, "innocent", "rate_key"), worst=max, deviation=False),
                _evidence(copies),
                _evidence(innocent),
                f"{statistics.median(asked):g}" if asked else "-",
                f"{refused} of {len(victims)}",
            ]
        )
    return [f"| {' | '.join(row)} |" for row in rows]


def _evidence(records):
    return f"{sum(r.get('decision') == 'evidence' for r in records)} of {len(records)}"


def _of(records, role, field):
    return records_lib.values([r for r in records if r["role"] == role], field)


def _of_copies(records, role, field):
    return _spread(_of(records, role, field))


def _mean(values):
    return statistics.fmean(values) if values else None


def _spread(values, form=percent, worst=min, deviation=True):
    if not values:
        return "-"
    if len(values) == 1:
        return form(values[0])
    middle = f" ± {form(statistics.stdev(values))}" if deviation else ""
    return f"{form(statistics.fmean(values))}{middle} ({form(worst(values))})"


def read(folder):
    """The records of all JSON lines of a folder, in the order of `TITLES`."""
    found = []
    for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
        found += [json.loads(line) for line in path.read_text().splitlines() if line]
    order = list(TITLES)
    return sorted(found, key=lambda r: order.index(r["dataset"]) if r["dataset"] in order else 99)


def write(folder="docs/results", page="docs/results.md"):
    """Writes the page of a folder of JSON lines."""
    replace_text(pathlib.Path(page), markdown(read(folder)))


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    write(FLAGS.folder, FLAGS.page)
    print(f"{FLAGS.page} from {FLAGS.folder}")


if __name__ == "__main__":
    flags.DEFINE_string("folder", "docs/results", "Folder of the JSON lines.")
    flags.DEFINE_string("page", "docs/results.md", "Page to write.")
    app.run(main)
