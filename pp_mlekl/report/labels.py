"""Labels of the tree's names in tables, verdicts and pages."""

from collections.abc import Collection
from typing import Any

# Statuses without a value: tables show the status in place of a number.
NO_NUMBER = ("unbounded", "at_infinity", "not_identified", "failed")

# Description and direction of each quantity.
JOINT = {
    "kl_posterior_prior": ("KL, all parameters jointly", "KL(posterior||prior)"),
    "kl_prior_posterior": ("KL, all parameters jointly", "KL(prior||posterior)"),
    "jsd": ("Jensen-Shannon, jointly", "JSD(prior, posterior)"),
    "total_variation": ("Total variation, jointly", "TV(prior, posterior)"),
    "hellinger_squared": ("Squared Hellinger, jointly", "H²(prior, posterior)"),
    "dependence_gap": ("Joint KL minus the sum of the marginal ones", "dependence gap"),
    "model_dimensionality": ("Bayesian model dimensionality", "2 Var(log L)"),
    "log_evidence": ("Log evidence", "log Z"),
    "log_evidence_prior_sensitivity": (
        "Sensitivity of the log evidence to the scale s of the top-level priors",
        "d log Z / d log s",
    ),
    "kl_posterior_laplace": ("KL from the Laplace approximation, jointly", "KL(posterior||Laplace)"),
    "kl_laplace_posterior": ("KL from the Laplace approximation, jointly", "KL(Laplace||posterior)"),
}
OF_FITS = {
    "kl": ("KL, sum over observations", "KL({0}||{1})"),
    "kl_theory": ("Large-sample expectation of KL({0}||{1})", "expected KL({0}||{1})"),
    "kl_reverse": ("KL, sum over observations", "KL({1}||{0})"),
    "jsd": ("Jensen-Shannon, mean over observations", "JSD({0}, {1})"),
}
FIT_NAMES = {
    "mle": "MLE",
    "map": "MAP",
    "map_unconstrained": "MAP, unconstrained",
    "posterior_predictive": "posterior predictive",
    "posterior_mean": "posterior mean",
    "laplace": "Laplace",
}

# Short name of each kind of interval whose coverage a study counts, and what the interval is made from.
INTERVALS = {
    "sandwich": ("exact sandwich", "the asymptotic covariance at the pseudo-true parameter"),
    "estimated": ("own sandwich", "the covariance that each data set estimates, as sandwich_interval gives it"),
    "naive": ("Wald", "the inverse information, symmetric on the natural scale"),
    "unconstrained": ("Wald, unconstrained", "the inverse information, symmetric on the unconstrained scale"),
    "profile": ("profile", "the profile likelihood"),
    "parametric_bootstrap": ("parametric bootstrap", "data simulated from the fit"),
    "case_bootstrap": ("case bootstrap", "resampled observations"),
    "credible": ("credible", "the posterior of each data set"),
}


def counted_intervals(summary: Collection[Any]) -> list[str]:
    """The kinds of intervals whose coverage is in a study's summary.

    Examples
    --------
    >>> counted_intervals({"coverage_naive": 0.9, "bias": 0.1, "coverage_estimated": 0.95})
    ['estimated', 'naive']
    """
    return [kind for kind in INTERVALS if f"coverage_{kind}" in summary]


def fit_name(estimator: str) -> str:
    """An estimator as pages name it.

    Examples
    --------
    >>> fit_name("mle"), fit_name("posterior")
    ('MLE', 'posterior')
    """
    return FIT_NAMES.get(estimator, estimator)


def in_words(warning: str) -> str:
    """A warning of the form ``name: text`` with the label of the name."""
    name, colon, text = warning.partition(": ")
    known = {**FIT_NAMES, **{key: direction for key, (_, direction) in JOINT.items()}}
    return f"{known[name]}: {text}" if colon and name in known else warning
