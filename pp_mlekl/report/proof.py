"""The page of a proof: seven steps with numbers, formulas and figures, in one file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pp_mlekl.report.proof_plots import densities_svg, panels
from pp_mlekl.utils.files import AnyPath, check_page_target, write_text
from pp_mlekl.utils.html import template

if TYPE_CHECKING:
    from pp_mlekl.theorem.proof_result import Check, Proof

_ALT = {
    1: "Cross-entropy and KL as functions of a parameter; they differ by the entropy of the truth.",
    2: "KL as a function of a parameter, and the expected log-likelihood, whose maximum is at the minimum of KL.",
    3: "Errors of the mean log-likelihood against n, proportional to 1/√n.",
    4: "Probabilities of large deviations below Chebyshev's bound, for one observation and for the mean of n.",
    5: "Excess KL of the estimate against n, with trace/2n; its distribution, with the weighted chi-squared limit.",
    6: "Divergence from the observed data as a function of a parameter, minimal at the MLE (dashed).",
    7: "A normal that covers both components of a mixture, and one that covers the larger; three divergences of shifted uniforms.",
}

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_NEAREST = "The truth, and the model at the pseudo-true parameter."

# ASCII notation and its printed form.
_PRINTED = {
    "^2": "²",
    "J^-1": "J⁻¹",
    ">=": "≥",
    "<=": "≤",
    "||": "‖",
    "sigma²": "σ²",
    "n eps²": "n ε²",
    " - ": " − ",
    "-log": "−log",
    "= -2": "= −2",
    "+-": "±",
}


def write_page(proof: "Proof", path: AnyPath) -> Path:
    """Write the page atomically."""
    check_page_target(path)
    return write_text(path, render(proof))


def render(proof: "Proof") -> str:
    """The page as a string."""
    figures = {step.number: panels(step, _ALT[step.number]) for step in proof.steps}
    return template("proof.html", number=number, difference=difference, short=short, tidy=tidy).render(
        proof=proof,
        figures=figures,
        nearest=densities_svg(proof.densities, _NEAREST),
        nearest_caption=_NEAREST,
        parameters=_pseudo_true(proof),
        alt=_ALT,
    )


def number(value: float) -> str:
    """Six significant digits; a word for NaN and infinity."""
    if np.isnan(value):
        return "unavailable"
    if np.isinf(value):
        return "infinite" if value > 0 else "minus infinity"
    return printed(f"{value:.6g}")


def printed(text: str) -> str:
    """A number with a true minus sign and powers of ten.

    Examples
    --------
    >>> printed("-1.5e-07"), printed("0.25")
    ('−1.5·10⁻⁷', '0.25')
    """
    mantissa, _, exponent = text.partition("e")
    power = f"·10{str(int(exponent)).translate(_RAISED)}" if exponent else ""
    return mantissa.replace("-", "−") + power


def tidy(text: str) -> str:
    """Replace ASCII notation in a sentence by mathematical characters.

    Examples
    --------
    >>> tidy("P(|X| >= k) <= sigma^2 / k^2 under KL(p||q)")
    'P(|X| ≥ k) ≤ σ² / k² under KL(p‖q)'
    """
    for typed, printed in _PRINTED.items():
        text = text.replace(typed, printed)
    return text


def difference(check: "Check") -> str:
    """The difference of both sides, or whether a bound is satisfied."""
    if not check.bound:
        return short(abs(check.gap))
    return "satisfied" if check.gap <= 0 else f"exceeded by {short(check.gap)}"


def short(value: float) -> str:
    """Two significant digits."""
    return printed(f"{value:.2g}")


def _pseudo_true(proof: "Proof") -> list[dict[str, Any]]:
    """Rows of the table of pseudo-true parameters, the first 12."""
    table = proof.pseudo_true.summary()
    naive = np.concatenate([np.ravel(v.values) for v in proof.pseudo_true.naive_standard_error.data_vars.values()])
    rows = [
        {"name": name, "value": _rounded(row["estimate"], row["se"]), "sandwich": row["se"], "naive": other}
        for (name, row), other in zip(table.iterrows(), naive, strict=True)
    ]
    return rows[:12]


def _rounded(value: float, error: float) -> float:
    """0 if the value differs from 0 by numerical noise only, relative to its standard error."""
    return 0.0 if abs(value) < 1e-9 * error else value
