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
        columns: dict from a column's title to the field that it shows, or to `(field, digits)`.
    """
    rows = [[_text(entry, field) for field in columns.values()] for entry in results]
    print(report.text_table(list(columns), rows))
    name = pathlib.Path(sys.argv[0]).stem
    where = machine()
    print(json.dumps(where))
    if flags.FLAGS.output:
        command = f"python -m benchmarks.{name} {' '.join(sys.argv[1:])}"
        found = {"benchmark": name, "command": command, "machine": where, "results": results}
        pathlib.Path(flags.FLAGS.output).write_text(json.dumps(found, indent=1) + "\n")


def _text(entry, field):
    field, digits = field if isinstance(field, tuple) else (field, None)
    value = entry.get(field)
    if value is None:
        return "-"
    return str(value) if digits is None else f"{value:.{digits}f}"
