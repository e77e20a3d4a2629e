"""One door for every object that is a distribution."""

from typing import Any

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.inputs.labelled import LabelledDistribution
from pp_mlekl.inputs.scipy import from_scipy, is_scipy, is_unfrozen_scipy
from pp_mlekl.inputs.text import parse_distribution

ACCEPTED = (
    "a PyMC .dist(), a frozen SciPy distribution, a PreliZ distribution, mk.distribution(...) or a text like "
    "'Gamma(2, 1)'"
)


def is_distribution(candidate: Any) -> bool:
    """Whether ``as_distribution`` would read it; texts are, draws are not."""
    return (
        isinstance(candidate, Distribution | LabelledDistribution | str)
        or is_scipy(candidate)
        or _is_preliz(candidate)
        or _is_pymc(candidate)
    )


def as_distribution(candidate: Any) -> Distribution:
    """A distribution in arrays from any object that is one.

    Parameters
    ----------
    candidate
        A PyMC ``.dist()``, a frozen SciPy distribution, a PreliZ distribution with its parameters set, what
        ``mk.distribution`` gives, or a text such as ``"Gamma(2, 1)"``.

    Raises
    ------
    TypeError
        Where it is something else; the message names what is accepted.
    """
    if isinstance(candidate, Distribution):
        return candidate
    if isinstance(candidate, LabelledDistribution):
        return candidate.on([str(d) for d in candidate.template().dims])
    if isinstance(candidate, str):
        return parse_distribution(candidate)
    if is_scipy(candidate):
        return from_scipy(candidate)
    if _is_preliz(candidate):
        from pp_mlekl.inputs.preliz import from_preliz

        return from_preliz(candidate)
    if _is_pymc(candidate):
        from pp_mlekl.pymc_model.distributions.from_pymc import distribution_of

        return distribution_of(candidate)
    raise TypeError(f"A distribution must be {ACCEPTED}, got {got(candidate)}.")


def got(candidate: Any) -> str:
    """What something is that is no distribution, and what would make it one."""
    kind = type(candidate).__name__
    if not is_unfrozen_scipy(candidate):
        return kind
    return f"SciPy's {kind}, which has to be called first, with its parameters if it has any: dist()"


# Neither library is imported to look at an object that cannot be from it.
def _is_pymc(candidate: Any) -> bool:
    return type(candidate).__module__.startswith("pytensor.")


def _is_preliz(candidate: Any) -> bool:
    return any(c.__module__.startswith("preliz.distributions") for c in type(candidate).__mro__)
