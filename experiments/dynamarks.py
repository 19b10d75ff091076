"""Marks in the answers: who carries them, what removes them, and how often chance does.

python -m experiments.dynamarks --seeds=3
python -m experiments.dynamarks --seeds=3 --carrier=dynamic
python -m experiments.dynamarks --dataset=cifar10 --victim=resnet8 --other=vgg
"""

import collections
import json
import pathlib
import statistics
import time

import keras
import numpy as np
from absl import app
from absl import flags
from absl import logging
from scipy import stats

import ewe_tf

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", "fashion_mnist", "Name of the data set.")
flags.DEFINE_string("victim", "small_cnn", "Architecture of the victim and of most thieves.")
flags.DEFINE_string("other", "wide_cnn", "Architecture of the thief who does not know it.")
flags.DEFINE_enum("carrier", "static", ["static", "dynamic"], "The carrier of the marks.")
flags.DEFINE_integer("seeds", 1, "Number of seeds.", lower_bound=1)
flags.DEFINE_integer("rows", 10_000, "Rows of the victim, the thief, the strangers.")
flags.DEFINE_integer("epochs", 10, "Epochs of each training.", lower_bound=1)
flags.DEFINE_integer("strangers", 20, "Independent models of the null hypothesis; 0 for none.")
flags.DEFINE_integer("keys", 100, "Random keys for each independent model.", lower_bound=1)
flags.DEFINE_bool("removal", True, "Whether to run the removal attacks.")
flags.DEFINE_string("output", None, "Folder of results.jsonl; default runs/dynamarks_DATASET.")

FULL_PROBES, ROUNDED_PROBES = 1000, 3000


class Bench:
    """Parties, data and records of one seed."""

    def __init__(self, seed, write):
        self.seed, self.write = seed, write
        data = ewe_tf.datasets.load(FLAGS.dataset)
        parts = dict.fromkeys(("victim", "thief", "strangers"), FLAGS.rows)
        parts = ewe_tf.datasets.split(data, parts, seed=seed)
        self.x_test, self.y_test = data.x_test, data.y_test
        self.parts, self.shape, self.classes = parts, data.x_train.shape[1:], data.num_classes
        self.built = 0

    def student(self, name):
        self.built += 1
        return ewe_tf.models.build(
            name, self.shape, self.classes, seed=1000 * self.seed + self.built
        )

    def trained(self, name, x, y):
        model = self.student(name)
        model.compile("adam", "sparse_categorical_crossentropy")
        keras.utils.set_random_seed(self.seed)
        model.fit(x, y, batch_size=128, epochs=FLAGS.epochs, verbose=0)
        return model

    def copy(self, model, name=None, temperature=1.0, **answers):
        attack = ewe_tf.extraction.Distillation(
            epochs=FLAGS.epochs, late_rate=0.25, temperature=temperature, seed=self.seed
        )
        if answers.get("answers") == "label":
            attack = ewe_tf.extraction.LabelOnly(
                epochs=FLAGS.epochs, late_rate=0.25, seed=self.seed
            )
        oracle = ewe_tf.Oracle(model, **answers)
        return attack.run(oracle, self.student(name or FLAGS.victim), self.parts["thief"].x_train)

    def accuracy(self, suspect):
        labels = np.argmax(ewe_tf.Oracle(suspect).predict(self.x_test), axis=1)
        return float(np.mean(labels == self.y_test))

    def judge(self, key, role, suspect, probes=FULL_PROBES, clients=(), **answers):
        """One record: what the suspect's answers to the first probes say."""
        said = ewe_tf.Oracle(suspect, **answers).predict(key.probes)
        if said.ndim == 2:
            said[probes:] = np.nan
        evidence = key.evidence(said, clients=clients)
        record = {
            "role": role,
            "seed": self.seed,
            "carrier": FLAGS.carrier,
            "accuracy": self.accuracy(suspect),
            "probes": probes,
            "informative": evidence.informative,
            "p_value": evidence.p_value,
            "resigned": evidence.owner.p_value,
            "rademacher": evidence.owner.rademacher,
            "log_e_value": float(evidence.log_e_values.max()),
            "clients": {name: test.adjusted for name, test in evidence.clients.items()},
        }
        self.write(record)
        return record


def run_seed(bench):
    """Victim, thieves and removal attacks of one seed."""
    mine = bench.parts["victim"]
    victim = bench.trained(FLAGS.victim, mine.x_train, mine.y_train)
    scheme = ewe_tf.DynaMarks(carrier=FLAGS.carrier, probes=ROUNDED_PROBES)
    defended = scheme.wrap(victim, bench.x_test, seed=bench.seed)
    key = defended.key
    bench.write(price(bench, victim, defended))
    bench.judge(key, "victim, undefended", victim)
    bench.judge(key, "victim, defended", defended.model)
    bench.judge(key, "copy of the undefended", bench.copy(victim))
    copy = bench.copy(defended.model)
    bench.judge(key, "full", copy)
    bench.judge(key, "full, suspect rounds to 2", copy, answers="rounded", decimals=2)
    bench.judge(key, "full, suspect gives labels", copy, answers="label")
    bench.judge(key, "full, other architecture", bench.copy(defended.model, FLAGS.other))
    for decimals in (3, 2, 1):
        thief = bench.copy(defended.model, answers="rounded", decimals=decimals)
        bench.judge(key, f"rounded to {decimals}", thief, ROUNDED_PROBES)
    thief = bench.copy(defended.model, answers="top_k", top_k=3)
    bench.judge(key, "top 3", thief, ROUNDED_PROBES)
    bench.judge(key, "temperature 4", bench.copy(defended.model, temperature=4.0))
    bench.judge(key, "second hop", bench.copy(copy))
    bench.judge(key, "label only", bench.copy(defended.model, answers="label"))
    collusion(bench, victim)
    hard_channel(bench, victim)
    if FLAGS.removal:
        for name, attack in removal_attacks(bench.seed).items():
            rows = slice(0, FLAGS.rows // 10)
            labelled = bench.parts["thief"]
            data = (labelled.x_train[rows], labelled.y_train[rows])
            bench.judge(key, f"full, then {name}", attack.run(copy, data))
    return key


def price(bench, victim, defended):
    """What the defence changes for honest users."""
    clean = ewe_tf.Oracle(victim).predict(bench.x_test)
    answers = ewe_tf.Oracle(defended.model).predict(bench.x_test)
    change = np.abs(answers - clean).sum(axis=1)
    return {
        "role": "price",
        "seed": bench.seed,
        "carrier": FLAGS.carrier,
        "agreement": float(np.mean(answers.argmax(axis=1) == clean.argmax(axis=1))),
        "largest_change": float(change.max()),
        "mean_change": float(change.mean()),
    }


def collusion(bench, victim):
    """Two clients average their answers; a third is innocent."""
    scheme = ewe_tf.DynaMarks(carrier=FLAGS.carrier, shared=0.5)
    key = scheme.wrap(victim, bench.x_test, seed=bench.seed).key
    served = [scheme.wrap(victim, key=key, client=name).model for name in ("alice", "bob")]
    names = ("alice", "bob", "carol")
    bench.judge(key, "client alice", bench.copy(served[0]), clients=names)

    def average(x):
        return np.mean([ewe_tf.Oracle(model).predict(x) for model in served], axis=0)

    bench.judge(key, "alice and bob collude", bench.copy(average), clients=names)


def hard_channel(bench, victim):
    """The thief of labels, with the hard channel on."""
    scheme = ewe_tf.DynaMarks(carrier=FLAGS.carrier, hard_rate=0.5, hard_gap=0.2)
    defended = scheme.wrap(victim, bench.x_test, seed=bench.seed)
    log = defended.log(bench.parts["thief"].x_train)
    thief = bench.copy(defended.model, answers="label")
    labels = ewe_tf.Oracle(thief, answers="label").predict(log.queries)
    bench.write(
        {
            "role": "label only, hard channel",
            "seed": bench.seed,
            "carrier": FLAGS.carrier,
            "accuracy": bench.accuracy(thief),
            "victim_accuracy": bench.accuracy(defended.model),
            "chosen": len(log.coin),
            "flips": log.flips,
            "sent": log.sent,
            "p_value": log.p_value(labels),
        }
    )


def removal_attacks(seed):
    """The attacks on the full-answer copy; the thief has labels for a tenth of his queries."""
    removal = ewe_tf.removal
    return {
        "fine-tuning, all layers": removal.FineTuning("all", seed=seed),
        "fine-tuning, last layer": removal.FineTuning("last", seed=seed),
        "fine-tuning, new head": removal.FineTuning("all", new_head=True, seed=seed),
        "weight rounding, 4 bits": removal.WeightRounding(bits=4),
        "pruning 50 %": removal.MagnitudePruning(0.5, epochs=2, seed=seed),
        "pruning 80 %": removal.MagnitudePruning(0.8, epochs=2, seed=seed),
        "fine-pruning": removal.FinePruning(seed=seed),
        "int8": removal.PostTrainingInt8(),
    }


def null_p_values(bench, key):
    """p-values of independent models under random keys: uniform if all is well."""
    strangers, values = bench.parts["strangers"], []
    fields, arrays = key.secret()
    for number in range(FLAGS.strangers):
        rows = np.random.default_rng(number).permutation(FLAGS.rows)[: FLAGS.rows // 2]
        model = bench.trained(
            (FLAGS.victim, FLAGS.other)[number % 2],
            strangers.x_train[rows],
            strangers.y_train[rows],
        )
        answers = ewe_tf.Oracle(model).predict(key.probes)
        for k in range(FLAGS.keys):
            master = np.random.default_rng([number, k]).integers(0, 256, 32, dtype=np.uint8)
            drawn = type(key).from_secret(fields, {**arrays, "master": master})
            values.append(drawn.evidence(answers, resamples=9999, seed=k).owner.p_value)
    values = np.array(values)
    return {
        "role": "null",
        "seed": bench.seed,
        "carrier": FLAGS.carrier,
        "models": FLAGS.strangers,
        "keys": FLAGS.keys,
        "kolmogorov_smirnov": float(stats.kstest(values, "uniform").pvalue),
        "smallest": float(values.min()),
        "below_1e-4": int(np.sum(values < 1e-4)),
        "chance_of_that_many": float(stats.binom.sf(np.sum(values < 1e-4) - 1, len(values), 1e-4)),
    }


def bars(records):
    """Text: each bar, what was measured, whether it holds at every seed."""
    by_role = collections.defaultdict(list)
    for record in records:
        by_role[record["role"]].append(record)

    def worst(role, field="p_value"):
        return max(r[field] for r in by_role[role])

    lost = [
        a["accuracy"] - b["accuracy"]
        for a, b in zip(by_role["copy of the undefended"], by_role["full"], strict=True)
    ]
    agreement = min(r["agreement"] for r in by_role["price"])
    rows = [
        ("top-1 agreement", f"{agreement:.4%}", agreement == 1),
        ("accuracy lost by the copy, points, mean", f"{100 * statistics.mean(lost):.2f}",
         statistics.mean(lost) <= 0.01),
    ]  # fmt: skip
    for role in ("full", "full, other architecture", "rounded to 2"):
        rows.append((f"largest p, {role}", f"{worst(role):.1e}", worst(role) < 1e-6))
    for r in by_role["null"]:
        good = r["kolmogorov_smirnov"] > 0.01 and r["chance_of_that_many"] > 0.01
        ks = f"KS {r['kolmogorov_smirnov']:.3f}, {r['below_1e-4']} below 1e-4"
        rows.append((f"{r['models']} models x {r['keys']} keys", ks, good))
    return "\n".join(
        f"  {name:<44}{value:>26}  {'holds' if good else 'FAILS'}" for name, value, good in rows
    )


def table(records):
    """Text: each role over the seeds."""
    by_role = collections.defaultdict(list)
    for record in records:
        if "p_value" in record:
            by_role[record["role"]].append(record)
    lines = [f"  {'suspect':<36}{'accuracy':>9}{'median p':>11}{'largest p':>11}"]
    for role, rows in by_role.items():
        p = [r["p_value"] for r in rows]
        clients = [
            f"{name} {max(r['clients'][name] for r in rows):.0e}"
            for name in rows[0].get("clients", {})
        ]
        lines.append(
            f"  {role:<36}{100 * statistics.mean(r['accuracy'] for r in rows):>9.1f}"
            f"{statistics.median(p):>11.1e}{max(p):>11.1e}  {', '.join(clients)}"
        )
    return "\n".join(lines)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    logging.set_verbosity(logging.ERROR)
    output = pathlib.Path(FLAGS.output or f"runs/dynamarks_{FLAGS.dataset}")
    output.mkdir(parents=True, exist_ok=True)
    records, started = [], time.monotonic()
    with (output / f"results_{FLAGS.carrier}.jsonl").open("w") as file:

        def write(record):
            records.append(record)
            file.write(json.dumps(record) + "\n")
            file.flush()

        for seed in range(FLAGS.seeds):
            bench = Bench(seed, write)
            key = run_seed(bench)
            if seed == 0 and FLAGS.strangers:
                write(null_p_values(bench, key))
    print(f"{FLAGS.dataset}, {FLAGS.carrier} carrier, {FLAGS.seeds} seeds")
    print(table(records))
    print(bars(records))
    print(f"{time.monotonic() - started:.0f} s; {file.name}")


if __name__ == "__main__":
    app.run(main)
