"""The tables of a page of several models, from numbers made by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.report.models_page import bayes_factor_table, models_table

SUMMARY = pd.DataFrame(
    {
        "rank_evidence": [1.0, 2.0],
        "rank_loo": [2.0, 1.0],
        "log_evidence": [-12.345, np.nan],
        "log_evidence_mcse": [0.023, np.nan],
        "probability": [0.75, np.nan],
        "probability_mcse": [0.012, np.nan],
        "prior_sensitivity": [0.543, 0.321],
        "prior_sensitivity_mcse": [0.065, 0.043],
        "elpd_loo": [-23.45, -22.22],
        "elpd_loo_se": [3.4, 2.3],
        "kl_truth": [np.nan, np.nan],
        "kl_truth_mcse": [np.nan, np.nan],
        "loo_weight": [0.1234, 0.8766],
    },
    index=["first", "second"],
)


def test_a_row_for_each_model():
    table = models_table(SimpleNamespace(summary=lambda: SUMMARY))
    assert table.header == (
        "model", "rank", "rank (LOO)", "log evidence", "probability", "d log Z / d log scale of the priors", "elpd (LOO)", "LOO weight",
    )  # fmt: skip
    assert table.rows == (
        ("first", "1", "2", "−12.345 ± 0.023", "0.750 ± 0.012", "0.543 ± 0.065", "−23.4 ± 3.4", "0.123"),
        ("second", "unavailable", "1", "unavailable", "unavailable", "0.321 ± 0.043", "−22.2 ± 2.3", "0.877"),
    )


def test_bayes_factors_of_the_row_against_the_column():
    factors = {
        "log_bayes_factor": (("model", "against"), [[0.0, 1.23], [-1.23, 0.0]]),
        "log_bayes_factor_mcse": (("model", "against"), [[0.0, 0.045], [0.045, 0.0]]),
    }
    dataset = xr.Dataset(factors, coords={"model": ["first", "second"], "against": ["first", "second"]})
    table = bayes_factor_table(SimpleNamespace(summary=lambda: SUMMARY, dataset=dataset))
    assert table.header[1:] == ("first", "second")
    assert [row[1:] for row in table.rows] == [("0", "0.534 ± 0.020"), ("−0.534 ± 0.020", "0")]
