"""Mathematics as pure functions of tensors, without state.

Symbols: ``x`` data, ``z`` code, ``theta`` decoder output, ``log_variance`` = log sigma^2. Callers sum over features
and average over samples; functions are elementwise unless their docstring says otherwise. Logarithms are natural, so
losses are in nats.
"""

from isthmus.functional.continuous import (
    asymmetric_laplace_log_prob,
    bernoulli_log_prob,
    compress_tails,
    continuous_bernoulli_log_prob,
    continuous_bernoulli_mean,
    drop_largest,
    entropy_normal,
    free_bits,
    importance_bound,
    keep_largest,
    kl_bernoulli,
    kl_normal,
    limited_lognormal_mean,
    normal_log_prob,
    normal_mixture_log_prob,
    normal_row_log_prob,
    sample_by_quantiles,
    sample_continuous_bernoulli,
    sample_normal,
    scale_gradient,
    squared_jacobian,
    student_t_log_prob,
    weighted_sum,
)
from isthmus.functional.discrete import (
    discretized_logistic_log_prob,
    log_rising_factorial,
    multinomial_log_prob,
    negative_binomial_log_prob,
    poisson_log_prob,
    zero_inflated_log_prob,
)
from isthmus.functional.rotation import varimax
from isthmus.functional.splines import rational_quadratic

__all__ = [
    "asymmetric_laplace_log_prob",
    "bernoulli_log_prob",
    "compress_tails",
    "continuous_bernoulli_log_prob",
    "continuous_bernoulli_mean",
    "discretized_logistic_log_prob",
    "drop_largest",
    "entropy_normal",
    "free_bits",
    "importance_bound",
    "keep_largest",
    "kl_bernoulli",
    "kl_normal",
    "limited_lognormal_mean",
    "log_rising_factorial",
    "multinomial_log_prob",
    "negative_binomial_log_prob",
    "normal_log_prob",
    "normal_mixture_log_prob",
    "normal_row_log_prob",
    "poisson_log_prob",
    "rational_quadratic",
    "sample_by_quantiles",
    "sample_continuous_bernoulli",
    "sample_normal",
    "scale_gradient",
    "squared_jacobian",
    "student_t_log_prob",
    "varimax",
    "weighted_sum",
    "zero_inflated_log_prob",
]
