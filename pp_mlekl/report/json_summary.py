"""A comparison as numbers and texts that JSON can hold."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from pp_mlekl.report.badges import badges
from pp_mlekl.report.protocols import ComparisonLike, VerdictLike

_FINDING = ("level", "topic", "text", "judged")


def json_summary(comparison: ComparisonLike) -> dict[str, Any]:
    """Verdict, badges, estimates and divergences of a comparison.

    Returns
    -------
    dict
        ``name``, ``observations``, ``parameters``, ``verdict`` (see ``json_verdict``), ``badges``, ``estimates`` (a row for
        each parameter, the columns of ``Comparison.summary``) and ``divergences``. NaN is None, infinity the text
        ``"inf"``.
    """
    attributes = comparison.tree.attrs
    return {
        "name": comparison.name,
        "observations": int(attributes["n_observations"]),
        "parameters": int(attributes["n_parameters"]),
        "verdict": json_verdict(comparison.verdict()),
        "badges": [asdict(badge) for badge in badges(comparison)],
        "estimates": json_rows(comparison.summary().reset_index(names="parameter")),
        "divergences": json_rows(comparison.divergences()),
    }


def json_verdict(verdict: VerdictLike) -> dict[str, Any]:
    """Level, conclusion, scope and findings of a verdict."""
    return {
        "level": verdict.level,
        "conclusion": verdict.conclusion,
        "scope": verdict.scope,
        "findings": [{name: getattr(finding, name) for name in _FINDING} for finding in verdict.findings],
    }


def json_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table.

    Examples
    --------
    >>> json_rows(pd.DataFrame({"of": ["a"], "kl": [np.inf], "mcse": [np.nan]}))
    [{'of': 'a', 'kl': 'inf', 'mcse': None}]
    """
    return [{str(key): _plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else f"{value:g}" if np.isinf(value) else float(value)
    return value.item() if isinstance(value, np.generic) else value
