"""The black box and nothing but: every kind of suspect or victim behind one `predict`."""

from ewe_tf.oracle.answers import AnswerForm
from ewe_tf.oracle.answers import labels
from ewe_tf.oracle.black_box import Answers
from ewe_tf.oracle.black_box import BlackBox
from ewe_tf.oracle.function import Function
from ewe_tf.oracle.keras_model import KerasModel
from ewe_tf.oracle.ledger import BudgetExceeded
from ewe_tf.oracle.ledger import Ledger
from ewe_tf.oracle.ledger import Query
from ewe_tf.oracle.ledger import row_digest
from ewe_tf.oracle.litert import LiteRT
from ewe_tf.oracle.oracle import Oracle
from ewe_tf.oracle.output_activation import output_activation
from ewe_tf.oracle.resolve import resolve
from ewe_tf.oracle.rest import Remote
from ewe_tf.oracle.saved_model import SavedModel

__all__ = [
    "AnswerForm",
    "Answers",
    "BlackBox",
    "BudgetExceeded",
    "Function",
    "KerasModel",
    "Ledger",
    "LiteRT",
    "Oracle",
    "Query",
    "Remote",
    "SavedModel",
    "labels",
    "output_activation",
    "resolve",
    "row_digest",
]
