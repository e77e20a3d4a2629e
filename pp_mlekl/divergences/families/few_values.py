"""Closed forms for P with few values: Bernoulli and Categorical against every family of counts."""

import numpy as np

from pp_mlekl.divergences.closed_form import kl_rule
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families.binary import Bernoulli, Binomial, Categorical
from pp_mlekl.divergences.families.registry import FAMILIES
from pp_mlekl.divergences.special import expm1_minus
from pp_mlekl.typing import Array


def few_values(p: Bernoulli | Categorical, q: Distribution) -> Array:
    """KL(p||q) as the sum of p log(p / q) - p + q over p's values, plus q's mass elsewhere, which avoids cancellation."""
    count = p.p.shape[-1] if isinstance(p, Categorical) else 2
    dims = max(len(p.batch_shape), len(q.batch_shape))
    x = np.arange(float(count)).reshape(-1, *([1] * dims))
    log_p, log_q = p.log_density(x), q.log_density(x)
    present = np.where(log_p == -np.inf, np.exp(log_q), np.exp(log_p) * expm1_minus(log_q - log_p))
    # For q far above p, expm1 overflows while p underflows.
    present = np.where(log_q - log_p > 100, np.exp(log_q) + np.exp(log_p) * (log_p - log_q - 1), present)
    last = np.full((), count - 1.0)
    return np.sum(present, axis=0) + q.survival(last) + q.cdf(np.full((), -1.0))


_OWN_RULE = {(Bernoulli, Bernoulli), (Categorical, Categorical)}

for _p in (Bernoulli, Categorical):
    for _q in FAMILIES.values():
        if _q.discrete is True and _q.event_ndim == 0 and (_p, _q) not in _OWN_RULE:
            kl_rule(_p, _q)(few_values)


@kl_rule(Binomial, Bernoulli)
def _binomial_of_one(p: Binomial, q: Bernoulli) -> Array:
    value = few_values(Bernoulli(p=p.p, logit_p=p.logit_p), q)
    return np.where(p.n == 1, value, np.nan)
