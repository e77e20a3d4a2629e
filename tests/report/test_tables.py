"""Each cell of each table of a page, from numbers made by hand that all differ."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pp_mlekl.report import tables

STATUSES = {"mle": "converged", "map": "converged", "map_unconstrained": "converged"}
ROW = {
    "MLE": 1.2345, "SE": 0.213, "MAP": 1.5432, "MAP_unconstrained": 1.7654, "mean": 1.3579, "sd": 0.246,
    "eti89_lb": 0.9753, "eti89_ub": 1.8642, "r_hat": 1.0123, "ess_bulk": 987.6, "ess_tail": 765.4, "KL": 2.3456, "KL_mcse": 0.0187,
    "truth": 1.1111,
}  # fmt: skip


def summary(**changed):
    return pd.DataFrame([ROW | changed], index=["mu"])


def cells(table, row=0):
    return dict(zip(table.header, table.rows[row], strict=True))


def parameters(frame, **statuses):
    return tables.parameter_table(SimpleNamespace(summary=lambda: frame, statuses=STATUSES | statuses))


def test_parameters():
    assert cells(parameters(summary())) == {
        "parameter": "mu",
        "MLE ± SE": "1.23 ± 0.21",
        "MAP": "1.54",
        "MAP, unconstrained": "1.77",
        "mean": "1.36",
        "sd": "0.25",
        "89% interval": "0.98 to 1.86",
        "R-hat": "1.012",
        "ESS": "765",
        "KL gained": "2.346 ± 0.019",
        "truth": "1.111",
    }


def test_unknown_quantities_have_no_column():
    frame = summary(MAP_unconstrained=ROW["MAP"] + 0.5e-4 * ROW["sd"]).drop(columns=["KL", "KL_mcse", "truth"])
    assert not {"MAP, unconstrained", "KL gained", "truth"} & set(parameters(frame).header)
    frame["MAP_unconstrained"] += 1e-4 * ROW["sd"]
    assert "MAP, unconstrained" in parameters(frame).header
    frame["MAP_unconstrained"] = np.nan
    assert cells(parameters(frame, map_unconstrained="unbounded"))["MAP, unconstrained"] == "unbounded"


def test_marginal_estimates_stand_beside_the_others():
    frame = pd.concat([summary(), summary()]).assign(marginal_MLE=[0.7531, np.nan], marginal_SE=[0.0346, np.nan])
    table = parameters(frame)
    assert table.header[:3] == ("parameter", "MLE ± SE", "marginal MLE ± SE")
    assert [row[1:3] for row in table.rows] == [("1.23 ± 0.21", "0.753 ± 0.035"), ("1.23 ± 0.21", "integrated out")]


def test_an_estimate_that_does_not_exist_is_its_status():
    row = cells(parameters(summary(MLE=np.nan, SE=np.nan, r_hat=np.nan), mle="at_infinity"))
    assert row["MLE ± SE"] == "at infinity"
    assert row["MAP"] == "1.54"
    assert row["R-hat"] == "unavailable"


def test_the_smaller_effective_sample_size_is_shown():
    assert cells(parameters(summary(ess_bulk=123.9)))["ESS"] == "123"


def test_divergences():
    frame = pd.DataFrame(
        [
            ["one", "KL(a||b)", 0.4321, 0.0123, "map", "not shown"],
            ["two", "KL(b||a)", np.inf, 0.0, "mle", "the reason."],
            ["three", "JSD", np.nan, np.nan, "mle", "a reason."],
            ["four", "W", np.nan, np.nan, "", "a reason."],
        ],
        columns=["quantity", "direction", "value", "mcse", "of", "note"],
    )
    made = SimpleNamespace(divergences=lambda: frame, statuses=STATUSES | {"mle": "not_identified"})
    assert tables.divergence_table(made).rows == (
        ("KL(a||b)", "0.432 ± 0.012", "one"),
        ("KL(b||a)", "∞", "two. The reason."),
        ("JSD", "no estimate (not identified)", "three"),
        ("W", "unavailable", "four. A reason."),
    )


@pytest.mark.parametrize(("truth", "source"), [("unknown", "predictive"), ("dict", "truth")])
def test_fits(truth, source):
    estimators = ["mle", "map", "posterior_predictive"]
    fitted = xr.Dataset(
        {
            "kl": ("estimator", [np.nan, 0.5432, np.nan]),
            "kl_mcse": ("estimator", [np.nan, 0.0234, np.nan]),
            "kl_theory": ("estimator", [np.nan, 1.6789, np.nan]),
            "kl_reverse": ("estimator", [np.nan] * 3),
            "jsd": ("estimator", [np.nan, 0.01234, np.nan]),
            "jsd_mcse": ("estimator", [np.nan, 0.0, np.nan]),
        },
        coords={"estimator": estimators},
    )
    tree = xr.DataTree.from_dict({"fitted": fitted})
    tree.attrs["truth"] = truth
    table = tables.fit_table(SimpleNamespace(tree=tree, statuses=STATUSES | {"mle": "unbounded"}))
    assert table.header == ("fit", f"KL({source}‖fit), sum", "expected by theory", "Jensen-Shannon, mean")
    assert [row[1:] for row in table.rows] == [
        ("unbounded",) * 3,
        ("0.543 ± 0.023", "1.679", "0.01234"),
        ("unavailable",) * 3,
    ]


def diagnosed(**given):
    return SimpleNamespace(diagnostics=SimpleNamespace(**given))


def test_sampling_with_the_worst_first():
    table = pd.DataFrame(
        {
            "r_hat": [1.0011, 1.0345, np.nan],
            "ess_bulk": [321.7, 432.8, 5.0],
            "ess_tail": [654.9, 543.2, 6.0],
            "mcse_mean": [0.01234, 0.05678, 0.1],
            "sd": [0.347, 0.765, 2.0],
        },
        index=["a", "b", "c"],
    )
    rows = tables.sampling_table(diagnosed(summary=table)).rows
    assert rows[0] == ("b", "1.034", "432", "543", "0.057", "0.77")
    assert rows[1] == ("a", "1.001", "321", "654", "0.012", "0.35")
    assert rows[2][:2] == ("c", "unavailable")
    many = pd.concat([table] * 20, ignore_index=True)
    assert len(tables.sampling_table(diagnosed(summary=many)).rows) == 30


def test_leave_one_out():
    row = {"elpd": -123.456, "se": 7.89, "p": 2.345, "largest_k": 0.678, "bad_k": 3.0, "n": 40.0}
    table = tables.loo_table(diagnosed(loo=pd.DataFrame([row], index=["y"])))
    assert table.rows == (("y", "−123.5 ± 7.9", "2.35", "0.68", "3 of 40"),)


def test_checks_with_the_smallest_p_value_first():
    checks = pd.DataFrame(
        {
            "check": ["mean", "sd"],
            "observed": ["y", "z"],
            "data": [1.2345, 2.3456],
            "low": [0.1234, 1.1111],
            "high": [3.4567, 4.4444],
            "p_adjusted": [0.4, 0.03],
        }
    )
    rows = tables.check_table(diagnosed(checks=checks)).rows
    assert [row[0] for row in rows] == ["sd of z", "mean of y"]
    assert rows[1][1:3] == ("1.23", "0.123 to 3.46")
    assert [".03" in rows[0][3], ".4" in rows[1][3]] == [True, True]
    assert len(tables.check_table(diagnosed(checks=pd.concat([checks] * 20))).rows) == 24


def test_sensitivity_with_the_largest_first():
    table = pd.DataFrame(
        {"prior": [0.012, 0.345], "likelihood": [0.123, 0.456], "diagnosis": ["✓", "prior dominates"]},
        index=["a", "b"],
    )
    assert tables.sensitivity_table(diagnosed(sensitivity=table)).rows == (
        ("b", "0.34", "0.46", "prior dominates"),
        ("a", "0.012", "0.12", "not sensitive"),
    )
    assert len(tables.sensitivity_table(diagnosed(sensitivity=pd.concat([table] * 10))).rows) == 12
    assert tables.sensitivity_table(diagnosed(sensitivity=table.iloc[:0])).rows == ()


def test_variables():
    made = [
        {"name": "a", "kind": "free", "distribution": "Normal(0, 1)", "dims": ["g", "h"], "size": 6},
        {"name": "y", "kind": "observed", "distribution": "Poisson(a)", "dims": [], "size": 1},
    ]
    assert tables.variable_table(SimpleNamespace(variables=made)).rows == (
        ("a", "free", "Normal(0, 1)", "g × h", "6"),
        ("y", "observed", "Poisson(a)", "–", "1"),
    )


def test_audit():
    names = ["mle", "map"]
    audit = xr.Dataset(
        {
            name: ("estimator", values)
            for name, values in {
                "log_likelihood": [-12.3456, -23.4567],
                "aic": [28.6912, np.nan],
                "bic": [31.2347, np.nan],
                "gradient_norm": [1.2e-7, 0.3],
                "smallest_eigenvalue": [0.4567, 0.1],
                "largest_eigenvalue": [56.789, 9.0],
                "agree": [8, 2],
                "starts": [10, 11],
            }.items()
        },
        coords={"estimator": names},
    )
    tree = xr.DataTree.from_dict({"audit": audit})
    found = tables.audit_table(SimpleNamespace(tree=tree, statuses={"mle": "converged", "map": "converged"}))
    assert found.rows[0][1:] == (
        "converged", "−12.346", "28.691", "31.235", "1.2·10⁻⁷", "0.457 to 56.8", "8 of 10",
    )  # fmt: skip
    assert found.rows[1][3:5] == ("not defined", "not defined")
    failed = tables.audit_table(SimpleNamespace(tree=tree, statuses={"mle": "failed"})).rows[0]
    assert failed[1:] == ("failed", *["unavailable"] * 5, "8 of 10")


def test_gaps_between_the_scales_are_in_posterior_deviations():
    frame = pd.DataFrame({"MAP": [1.0, 2.0, np.nan], "MAP_unconstrained": [0.5, 2.0, 1.0], "sd": [0.25, 0.0, 1.0]})
    np.testing.assert_array_equal(tables.scale_gaps(frame), [-2.0, np.nan, np.nan])
