"""What every benchmark leaves behind: a table for people, a JSON file for programs."""

import json
import pathlib
import sys

from absl import flags

from benchmarks._machine import machine
from ewe_tf import report


def finish(results, columns):
    """Prints the results as a table, and writes `--output`.

    Args:
        results: list of dicts, one for each row.
        columns: dict from a column's title to a function from a result to its text.
    """
    rows = [[text(entry) for text in columns.values()] for entry in results]
    print(report.text_table(list(columns), rows))
    name = pathlib.Path(sys.argv[0]).stem
    where = machine()
    print(json.dumps(where))
    if flags.FLAGS.output:
        command = f"python -m benchmarks.{name} {' '.join(sys.argv[1:])}"
        found = {"benchmark": name, "command": command, "machine": where, "results": results}
        pathlib.Path(flags.FLAGS.output).write_text(json.dumps(found, indent=1) + "\n")


def numbers(key, digits):
    """Function from a result to the number under `key`, a dash where there is none."""

    def text(entry):
        value = entry.get(key)
        return "-" if value is None else f"{value:.{digits}f}"

    return text
