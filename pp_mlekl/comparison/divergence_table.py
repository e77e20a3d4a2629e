"""The rows of a comparison's table of divergences."""

from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.posterior.evidence_estimate import log_evidence_of
from pp_mlekl.report.labels import FIT_NAMES, JOINT, OF_FITS


def gained_rows(tree: xr.DataTree, warnings: list[str]) -> list[dict[str, Any]]:
    """Divergences between prior and posterior, all parameters jointly; empty if the prior is improper.

    Parameters
    ----------
    tree
        Tree of a comparison.
    warnings
        Warnings of its group ``information_gain``.
    """
    gained = tree["information_gain"]
    if "joint" not in gained.children:
        return []
    joint, notes = gained["joint"], _notes(warnings)
    rows = [
        {
            "quantity": label,
            "direction": direction,
            "value": float(joint[key]),
            "mcse": float(joint[f"{key}_mcse"]),
            "of": "joint",
            "note": notes.get(key, ""),
        }
        for key, (label, direction) in JOINT.items()
        if key in joint
    ]
    return [_with_proper_prior(row, joint) if row["direction"] == "log Z" else row for row in rows]


def _with_proper_prior(row: dict[str, Any], joint: Any) -> dict[str, Any]:
    """The row of the log evidence, for a normalised prior if the prior as written does not integrate to 1."""
    value, error = log_evidence_of(joint)
    if value == row["value"] or not np.isfinite(value):
        return row
    quantity = f"{row['quantity']}, for the normalised prior ({row['value']:.6g} for the prior as written)"
    return {**row, "quantity": quantity, "value": value, "mcse": error}


def fitted_rows(tree: xr.DataTree, warnings: list[str]) -> list[dict[str, Any]]:
    """Divergence of each fit from the truth, or from the posterior predictive if no truth was given.

    Parameters
    ----------
    tree
        Tree of a comparison.
    warnings
        Warnings of its group ``fitted``.
    """
    fitted, rows = tree["fitted"].to_dataset(), []
    source = "posterior predictive" if tree.attrs["truth"] == "unknown" else "truth"
    notes = _notes(warnings)
    for key, (label, direction) in OF_FITS.items():
        for estimator in fitted["estimator"].values if key in fitted else ():
            value = float(fitted[key].sel(estimator=estimator))
            if key == "kl_theory" and np.isnan(value):
                continue  # Large-sample theory needs a known truth.
            # The theoretical value has no Monte Carlo error.
            mcse = float(fitted[f"{key}_mcse"].sel(estimator=estimator)) if f"{key}_mcse" in fitted else 0.0
            fit = FIT_NAMES.get(str(estimator), str(estimator))
            quantity = label.format(source, fit)
            rows.append(
                {
                    "quantity": _of_one(quantity) if tree.attrs["n_observations"] == 1 else quantity,
                    "direction": direction.format(source, fit),
                    "value": value,
                    "mcse": mcse,
                    "of": str(estimator),
                    "note": notes.get(str(estimator), ""),
                }
            )
    return rows


def _of_one(label: str) -> str:
    """A label for a model with a single observation: no sum, no mean."""
    for over in ("sum over observations", "mean over observations"):
        label = label.replace(over, "of the single observation")
    return label


def _notes(warnings: list[str]) -> dict[str, str]:
    """Warnings of the form ``name: text``, by name."""
    parts = [w.partition(": ") for w in warnings]
    return {name: text for name, colon, text in reversed(parts) if colon and " " not in name}
