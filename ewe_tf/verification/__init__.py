"""What the answers of a suspect are worth as evidence: statistics, without TensorFlow."""

from ewe_tf.verification.binomial import Interval
from ewe_tf.verification.binomial import binomial_p_value
from ewe_tf.verification.binomial import clopper_pearson
from ewe_tf.verification.binomial import lower_bound
from ewe_tf.verification.binomial import upper_bound
from ewe_tf.verification.binomial import wilson
from ewe_tf.verification.power import RequiredQueries
from ewe_tf.verification.power import binomial_power
from ewe_tf.verification.power import critical_hits
from ewe_tf.verification.power import required_queries

__all__ = [
    "Interval",
    "RequiredQueries",
    "binomial_p_value",
    "binomial_power",
    "clopper_pearson",
    "critical_hits",
    "lower_bound",
    "required_queries",
    "upper_bound",
    "wilson",
]
