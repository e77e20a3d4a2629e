"""Bayes factors in sentences."""

from typing import Any

import numpy as np

from pp_mlekl.findings import Finding

# So many standard errors from 0 a log Bayes factor has to be before it favours a model.
_ERRORS = 2.0


def about_bayes_factor(comparison: Any, best: str, other: str) -> Finding:
    """The Bayes factor, and what becomes of it when both models' priors are flattened by a tenth.

    Parameters
    ----------
    comparison
        A ``ModelComparison``.
    best, other
        Names of two of its models that have an evidence.
    """
    doubted = [name for name in (best, other) if name in comparison.doubtful]
    text = f"{_about_factor(comparison, best, other, doubted)}{_about_priors(comparison, best, other)}"
    return Finding(level="caution" if doubted else "ok", topic="Bayes factor", text=text)


def _about_factor(comparison: Any, best: str, other: str, doubted: list[str]) -> str:
    factor, error = comparison.bayes_factor(best, other)
    if doubted:
        return (
            f"The Bayes factor of {best} over {other} comes out as {factor:.4g} (standard error {error:.2g}), but the evidence "
            f"of {' and of '.join(doubted)} is not to be trusted: neither is known to be better."
        )
    cell = comparison.dataset.sel(model=best, against=other)
    if not abs(float(cell["log_bayes_factor"])) > _ERRORS * float(cell["log_bayes_factor_mcse"]):
        return (
            f"The Bayes factor of {best} over {other}, {factor:.4g}, is not told from 1 (standard error {error:.2g})."
        )
    return f"The data favour {best} over {other} by a Bayes factor of {factor:.4g} (standard error {error:.2g})."


def _about_priors(comparison: Any, best: str, other: str) -> str:
    cell = comparison.dataset.sel(model=best, against=other)
    slope, error = (float(cell[f"log_bayes_factor_sensitivity{suffix}"]) for suffix in ("", "_mcse"))
    if not np.isfinite(slope):
        return ""
    if abs(slope) < 2 * error:
        return " Flatter or sharper top-level priors in both change it by no more than the error of that estimate."
    # A prior raised to the power s^-2 and normalised: a normal's scale grows s-fold, a uniform stays. The slope is that at
    # s = 1; over a factor of two it bends, so no more is said than what a tenth does.
    return (
        " Top-level priors flattened in both (raised to the power 1/1.1², which makes a normal one 10% wider and leaves a "
        f"uniform one as it is) multiply it by {1.1**slope:.3g}, sharpened as much by {0.9**slope:.3g} "
        f"(d log BF / d log s = {slope:.2g} ± {error:.1g})."
    )
