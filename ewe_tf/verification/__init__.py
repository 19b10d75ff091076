"""What the answers of a suspect are worth as evidence: statistics, without TensorFlow."""

from ewe_tf.verification.binomial import Interval
from ewe_tf.verification.binomial import binomial_p_value
from ewe_tf.verification.binomial import clopper_pearson
from ewe_tf.verification.binomial import lower_bound
from ewe_tf.verification.binomial import upper_bound
from ewe_tf.verification.binomial import wilson
from ewe_tf.verification.e_values import average_e_values
from ewe_tf.verification.e_values import e_to_p_value
from ewe_tf.verification.e_values import p_to_e_value
from ewe_tf.verification.e_values import product_of_e_values
from ewe_tf.verification.power import RequiredQueries
from ewe_tf.verification.power import binomial_power
from ewe_tf.verification.power import critical_hits
from ewe_tf.verification.power import required_queries
from ewe_tf.verification.sequential import EProcess
from ewe_tf.verification.sequential import PairedEProcess
from ewe_tf.verification.sequential import anytime_bounds
from ewe_tf.verification.sequential import log_e_value

__all__ = [
    "EProcess",
    "Interval",
    "PairedEProcess",
    "RequiredQueries",
    "anytime_bounds",
    "average_e_values",
    "binomial_p_value",
    "binomial_power",
    "clopper_pearson",
    "critical_hits",
    "e_to_p_value",
    "log_e_value",
    "lower_bound",
    "p_to_e_value",
    "product_of_e_values",
    "required_queries",
    "upper_bound",
    "wilson",
]
