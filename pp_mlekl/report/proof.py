"""The page of a proof: one story in seven steps, with its numbers, formulas and figures, in one file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pp_mlekl.report.proof_plots import densities_svg, panels
from pp_mlekl.utils.files import AnyPath, write_text
from pp_mlekl.utils.html import template

if TYPE_CHECKING:
    from pp_mlekl.theorem.proof_result import Check, Proof

_ALT = {
    1: "Cross-entropy and KL over a parameter: two parallel curves, the entropy of the truth apart.",
    2: "KL over a parameter with its minimum, and the expected log-likelihood with its maximum at the same place.",
    3: "Errors of the mean log-likelihood against n, falling as one over the root of n.",
    4: "Probabilities of large deviations below Chebyshev's bound, for one observation and for the mean of n.",
    5: "What the estimate loses against n along trace over 2n, and its distribution along the weighted chi-squared.",
    6: "Divergence from the data at hand over a parameter, lowest at the maximum likelihood estimate.",
    7: "A normal that covers two humps and one that sits on the larger; three divergences of two shifted uniforms.",
}

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_NEAREST = "The truth, and the member of the model that is nearest to it."

# What is typed in plain characters, as it is printed.
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
}


def write_page(proof: "Proof", path: AnyPath) -> Path:
    """Write the page, whole or not at all."""
    return write_text(path, render(proof))


def render(proof: "Proof") -> str:
    """The page as a string."""
    figures = {step.number: panels(step, _ALT[step.number]) for step in proof.steps}
    return template("proof.html", number=number, apart=apart, short=short, tidy=tidy).render(
        proof=proof, figures=figures, nearest=densities_svg(proof.densities, _NEAREST), star=_star(proof), alt=_ALT
    )


def number(value: float) -> str:
    """Six significant digits, or the word for what has none."""
    if np.isnan(value):
        return "not known"
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
    """Mathematics in a sentence with its own characters.

    Examples
    --------
    >>> tidy("P(|X| >= k) <= sigma^2 / k^2 under KL(p||q)")
    'P(|X| ≥ k) ≤ σ² / k² under KL(p‖q)'
    """
    for typed, printed in _PRINTED.items():
        text = text.replace(typed, printed)
    return text


def apart(check: "Check") -> str:
    """The gap in words: how far apart both sides are, or by how much a bound is kept."""
    if not check.bound:
        return short(abs(check.gap))
    return "kept" if check.gap <= 0 else f"over by {short(check.gap)}"


def short(value: float) -> str:
    """Two significant digits."""
    return printed(f"{value:.2g}")


def _star(proof: "Proof") -> list[dict[str, Any]]:
    """Rows of the table of pseudo-true parameters; long ones are cut."""
    table = proof.pseudo_true.summary()
    naive = np.concatenate([np.ravel(v.values) for v in proof.pseudo_true.naive_standard_error.data_vars.values()])
    rows = [
        {"name": name, "value": _rounded(row["estimate"], row["se"]), "sandwich": row["se"], "naive": other}
        for (name, row), other in zip(table.iterrows(), naive, strict=True)
    ]
    return rows[:12]


def _rounded(value: float, error: float) -> float:
    """0 for what differs from it by rounding alone, measured by the parameter's own standard error."""
    return 0.0 if abs(value) < 1e-9 * error else value
