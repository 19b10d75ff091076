"""What the answers of a suspect are worth as evidence: statistics, without TensorFlow."""

from ewe_tf.verification.beta_binomial import BetaBinomial
from ewe_tf.verification.beta_binomial import beta_binomial_p_value
from ewe_tf.verification.beta_binomial import fit_beta_binomial
from ewe_tf.verification.binomial import Interval
from ewe_tf.verification.binomial import binomial_p_value
from ewe_tf.verification.binomial import clopper_pearson
from ewe_tf.verification.binomial import lower_bound
from ewe_tf.verification.binomial import upper_bound
from ewe_tf.verification.binomial import wilson
from ewe_tf.verification.bundle_check import BundleCheck
from ewe_tf.verification.calibration import UnfitKeyError
from ewe_tf.verification.calibration import calibrate
from ewe_tf.verification.check import check_bundle
from ewe_tf.verification.contrast import ContrastEProcess
from ewe_tf.verification.cover import Cover
from ewe_tf.verification.decoys import decoy_p_value
from ewe_tf.verification.decoys import required_decoys
from ewe_tf.verification.e_values import average_e_values
from ewe_tf.verification.e_values import e_to_p_value
from ewe_tf.verification.e_values import p_to_e_value
from ewe_tf.verification.e_values import product_of_e_values
from ewe_tf.verification.flips_verify import verify_flips
from ewe_tf.verification.innocents import conformal_p_value
from ewe_tf.verification.innocents import false_positive_bound
from ewe_tf.verification.innocents import family_maxima
from ewe_tf.verification.innocents import null_rate_bound
from ewe_tf.verification.multiplicity import benjamini_hochberg
from ewe_tf.verification.multiplicity import holm
from ewe_tf.verification.multiplicity import intersection_union
from ewe_tf.verification.paired import PairedCounts
from ewe_tf.verification.paired import mcnemar_p_value
from ewe_tf.verification.paired import paired_counts
from ewe_tf.verification.power import RequiredQueries
from ewe_tf.verification.power import binomial_power
from ewe_tf.verification.power import critical_hits
from ewe_tf.verification.power import required_queries
from ewe_tf.verification.random_effects import predictive_p_value
from ewe_tf.verification.random_effects import random_effects_p_value
from ewe_tf.verification.scores import target_log_odds
from ewe_tf.verification.scores import target_rank
from ewe_tf.verification.scores import wilcoxon_p_value
from ewe_tf.verification.sealed import BundleError
from ewe_tf.verification.sequential import EProcess
from ewe_tf.verification.sequential import PairedEProcess
from ewe_tf.verification.sequential import anytime_bounds
from ewe_tf.verification.sequential import log_e_value
from ewe_tf.verification.signal_verdict import SignalVerdict
from ewe_tf.verification.signal_verify import verify_signal
from ewe_tf.verification.signs import chernoff_bound
from ewe_tf.verification.signs import rademacher_bound
from ewe_tf.verification.signs import sign_flip_p_value
from ewe_tf.verification.verdict import Verdict
from ewe_tf.verification.verdict import VerdictError
from ewe_tf.verification.verify import verify

__all__ = [
    "BetaBinomial",
    "BundleCheck",
    "BundleError",
    "ContrastEProcess",
    "Cover",
    "EProcess",
    "Interval",
    "PairedCounts",
    "PairedEProcess",
    "RequiredQueries",
    "SignalVerdict",
    "UnfitKeyError",
    "Verdict",
    "VerdictError",
    "anytime_bounds",
    "average_e_values",
    "benjamini_hochberg",
    "beta_binomial_p_value",
    "binomial_p_value",
    "binomial_power",
    "calibrate",
    "check_bundle",
    "chernoff_bound",
    "clopper_pearson",
    "conformal_p_value",
    "critical_hits",
    "decoy_p_value",
    "e_to_p_value",
    "false_positive_bound",
    "family_maxima",
    "fit_beta_binomial",
    "holm",
    "intersection_union",
    "log_e_value",
    "lower_bound",
    "mcnemar_p_value",
    "null_rate_bound",
    "p_to_e_value",
    "paired_counts",
    "predictive_p_value",
    "product_of_e_values",
    "rademacher_bound",
    "random_effects_p_value",
    "required_decoys",
    "required_queries",
    "sign_flip_p_value",
    "target_log_odds",
    "target_rank",
    "upper_bound",
    "verify",
    "verify_flips",
    "verify_signal",
    "wilcoxon_p_value",
    "wilson",
]
