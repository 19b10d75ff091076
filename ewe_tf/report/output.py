"""Writes a report: the page, JSON and CSV, from records alone."""

import csv
import io
import json
import pathlib

import numpy as np

from ewe_tf.report import records as records_lib
from ewe_tf.report.files import replace_text
from ewe_tf.report.page import render


def _load(folder):
    def arrays(file):
        with np.load(folder / file, allow_pickle=False) as stored:
            return dict(stored)

    return arrays


def write(records, folder, *, arrays=None, title="Watermarks under extraction", subtitle=""):
    """Writes `index.html`, `results.json` and `results.csv` into a folder.

    Args:
        records: Records of models and of figures, see `ewe_tf.report.records`.
        folder: Where to write; made if absent.
        arrays: Folder of the figures' `file`s; by default `folder`.
        title, subtitle: Head of the page.

    Returns:
        Path of the page, one file that needs no other.

    Raises:
        ValueError: If a record is not valid, or none is of a model.
        FileNotFoundError: If a figure's file is absent.
    """
    records = [records_lib.check(record) for record in records]
    folder = pathlib.Path(folder)
    source = pathlib.Path(arrays) if arrays else folder
    page = render(records, _load(source), title=title, subtitle=subtitle)
    folder.mkdir(parents=True, exist_ok=True)
    measured = records_lib.models(records)
    content = {"summary": records_lib.summarise(records), "records": records}
    text = json.dumps(content, indent=1, allow_nan=False)
    replace_text(folder / "results.json", text + "\n")
    fields = list(dict.fromkeys(field for record in measured for field in record))
    table = io.StringIO()
    writer = csv.DictWriter(table, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(measured)
    replace_text(folder / "results.csv", table.getvalue())
    return replace_text(folder / "index.html", page)
