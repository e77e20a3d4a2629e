"""What the tree's names are called in tables, verdicts and pages."""

# Estimates with these statuses are shown as words: there is no number to show.
NO_NUMBER = ("unbounded", "at_infinity", "not_identified", "failed")

# What each quantity is, and its direction.
JOINT = {
    "kl_posterior_prior": ("KL, all parameters jointly", "KL(posterior||prior)"),
    "kl_prior_posterior": ("KL, all parameters jointly", "KL(prior||posterior)"),
    "jsd": ("Jensen-Shannon, jointly", "JSD(prior, posterior)"),
    "total_variation": ("Total variation, jointly", "TV(prior, posterior)"),
    "hellinger_squared": ("Squared Hellinger, jointly", "H²(prior, posterior)"),
    "dependence_gap": ("Joint KL less the marginals' sum", "dependence gap"),
    "model_dimensionality": ("Bayesian model dimensionality", "2 Var(log L)"),
    "log_evidence": ("Log evidence", "log Z"),
    "log_evidence_prior_sensitivity": (
        "Log evidence when the top-level priors are raised to the power 1/s²",
        "d log Z / d log s",
    ),
    "kl_posterior_laplace": ("KL from the normal at the mode (Laplace)", "KL(posterior||Laplace)"),
    "kl_laplace_posterior": ("KL from the normal at the mode (Laplace)", "KL(Laplace||posterior)"),
}
OF_FITS = {
    "kl": ("KL, sum over observations", "KL({0}||{1})"),
    "kl_theory": ("KL(truth||MLE) that large-sample theory expects", "theory, {1}"),
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


def in_words(warning: str) -> str:
    """A warning that begins with a name of the tree's, with what a reader calls it."""
    name, colon, text = warning.partition(": ")
    known = {**FIT_NAMES, **{key: direction for key, (_, direction) in JOINT.items()}}
    return f"{known[name]}: {text}" if colon and name in known else warning
