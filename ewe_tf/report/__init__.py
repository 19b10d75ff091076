"""What a person reads: tables in the terminal, one page with charts, JSON and CSV."""

from ewe_tf.report.output import write as write
from ewe_tf.report.records import read as read_records
from ewe_tf.report.records import summarise as summarise
from ewe_tf.report.records import write as write_records
from ewe_tf.report.table import results as results_table
from ewe_tf.report.table import text as text_table

__all__ = [
    "read_records",
    "results_table",
    "summarise",
    "text_table",
    "write",
    "write_records",
]
