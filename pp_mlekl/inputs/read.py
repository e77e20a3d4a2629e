"""Conversion of every accepted object (PyMC, SciPy, PreliZ, text) to a distribution."""

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
    """Whether ``as_distribution`` accepts it; text is accepted, draws are not."""
    return (
        isinstance(candidate, Distribution | LabelledDistribution | str)
        or is_scipy(candidate)
        or _is_preliz(candidate)
        or _is_pymc(candidate)
    )


def as_distribution(candidate: Any) -> Distribution:
    """Convert any object that describes a distribution.

    Parameters
    ----------
    candidate
        A PyMC ``.dist()``, a frozen SciPy distribution, a PreliZ distribution with its parameters set, the result of
        ``mk.distribution``, or a text such as ``"Gamma(2, 1)"``.

    Raises
    ------
    TypeError
        If it is something else; the message lists what is accepted.
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
    """The type of an object that was refused, for messages; for an unfrozen SciPy distribution also the remedy."""
    kind = type(candidate).__name__
    if not is_unfrozen_scipy(candidate):
        return kind
    return f"SciPy's {kind}, which has to be called first, with its parameters if it has any: dist()"


# Types are recognised by their module's name, so that neither library is imported.
def _is_pymc(candidate: Any) -> bool:
    return type(candidate).__module__.startswith("pytensor.")


def _is_preliz(candidate: Any) -> bool:
    return any(c.__module__.startswith("preliz.distributions") for c in type(candidate).__mro__)
