"""The black box and nothing but: every kind of suspect or victim behind one `predict`."""

from ewe_tf.oracle.answers import AnswerForm as AnswerForm
from ewe_tf.oracle.answers import labels as labels
from ewe_tf.oracle.black_box import Answers as Answers
from ewe_tf.oracle.black_box import BlackBox as BlackBox
from ewe_tf.oracle.function import Function as Function
from ewe_tf.oracle.keras_model import KerasModel as KerasModel
from ewe_tf.oracle.ledger import BudgetExceeded as BudgetExceeded
from ewe_tf.oracle.ledger import Ledger as Ledger
from ewe_tf.oracle.ledger import Query as Query
from ewe_tf.oracle.ledger import row_digest as row_digest
from ewe_tf.oracle.litert import LiteRT as LiteRT
from ewe_tf.oracle.oracle import Oracle as Oracle
from ewe_tf.oracle.output_activation import output_activation as output_activation
from ewe_tf.oracle.resolve import resolve as resolve
from ewe_tf.oracle.rest import Remote as Remote
from ewe_tf.oracle.saved_model import SavedModel as SavedModel
