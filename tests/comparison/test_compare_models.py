"""Models side by side: exact evidence, Bayes factors, probabilities, refusals."""

import re
from functools import cache

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within
from scipy import stats

import pp_mlekl as mk
from pp_mlekl.report.formatting import with_error

Y = np.random.default_rng(0).normal(1, 1, size=20)


def build(scale, y=Y):
    """A normal mean with a normal prior, and exact posterior draws."""
    return build_of_y(scale) if y is Y else _build(scale, y)


@cache
def build_of_y(scale):
    return _build(scale, Y)


def _build(scale, y):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, scale)
        pm.Normal("y", mu, 1, observed=y)
    variance = 1 / (len(y) + 1 / scale**2)
    draws = np.random.default_rng(1).normal(variance * y.sum(), np.sqrt(variance), size=(4, 1000))
    return model, xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), draws)})})


def exact(scale):
    return stats.multivariate_normal(np.zeros(len(Y)), np.eye(len(Y)) + scale**2).logpdf(Y)


@pytest.fixture(scope="module")
def result():
    return mk.compare_models({"narrow": build(1.0), "wide": build(10.0)}, random_seed=2)


def test_bayes_factor(result):
    factor, error = result.bayes_factor("narrow", "wide")
    expected = np.exp(exact(1.0) - exact(10.0))
    assert abs(factor - expected) < 4 * error + 1e-9
    inverse, _ = result.bayes_factor("wide", "narrow")
    assert factor * inverse == pytest.approx(1)


def test_probabilities_and_ranks(result):
    table = result.summary()
    expected = 1 / (1 + np.exp(exact(10.0) - exact(1.0)))
    assert table.loc["narrow", "probability"] == pytest.approx(expected, abs=1e-3)
    assert table["probability"].sum() == pytest.approx(1)
    assert list(table["rank_evidence"]) == [1, 2]
    assert list(table.columns[:2]) == ["rank_evidence", "rank_loo"]
    assert table["loo_weight"].sum() == pytest.approx(1)


def test_sensitivity_to_the_scale_of_the_prior(result):
    h = 1e-4
    for name, scale in (("narrow", 1.0), ("wide", 10.0)):
        slope = (exact(scale * (1 + h)) - exact(scale * (1 - h))) / (2 * h)
        row = result.dataset.sel(model=name)
        assert_within(
            float(row["prior_sensitivity"]), slope, mcse=float(row["prior_sensitivity_mcse"]), mcse_below=0.034
        )


def test_errors_follow_from_those_of_the_evidences(result):
    """Independent errors add up; that of a probability of two is p (1 - p) times that of the log Bayes factor."""
    of = result.dataset.sel(model=["narrow", "wide"], against=["narrow", "wide"])
    for name, source in (
        ("log_bayes_factor", "log_evidence"),
        ("log_bayes_factor_sensitivity", "prior_sensitivity"),
    ):
        errors = of[f"{source}_mcse"].values
        expected = np.hypot(*errors) * (1 - np.eye(2))
        np.testing.assert_allclose(of[f"{name}_mcse"], expected)
        np.testing.assert_allclose(of[name], np.subtract.outer(of[source].values, of[source].values))
    error = float(of["log_bayes_factor_mcse"][0, 1])
    factor, factor_error = result.bayes_factor("narrow", "wide")
    assert factor_error == pytest.approx(factor * error)
    p = of["probability"].values
    np.testing.assert_allclose(of["probability_mcse"], p * (1 - p) * error)
    assert result.dataset.attrs["units"] == "nats"


def test_prior_probabilities_shift_the_odds():
    models = {"a": build(1.0), "b": build(1.0)}
    result = mk.compare_models(models, prior_probabilities={"a": 3.0, "b": 1.0}, random_seed=1)
    assert float(result.dataset["probability"].sel(model="a")) == pytest.approx(0.75, abs=1e-3)


def test_an_improper_prior_has_no_evidence():
    with pm.Model() as flat:
        mu = pm.Flat("mu")
        pm.Normal("y", mu, 1, observed=Y)
    result = mk.compare_models({"flat": (flat, build(10.0)[1]), "proper": build(1.0)}, random_seed=1)
    assert np.isnan(float(result.dataset["log_evidence"].sel(model="flat")))
    assert np.isfinite(float(result.dataset["elpd_loo"].sel(model="flat")))
    assert any("flat" in w and "no evidence" in w for w in result.warnings)


def test_an_improper_prior_is_named_and_a_shared_one_cancels():
    def flat(scale):
        with pm.Model() as model:
            intercept, b = pm.Flat("intercept"), pm.Normal("b", 0, scale)
            pm.Normal("y", intercept + b * np.arange(len(Y)), 1, observed=Y)
        posterior = xr.Dataset(
            {n: (("chain", "draw"), np.random.default_rng(1).normal(size=(4, 100))) for n in ("intercept", "b")}
        )
        return model, xr.DataTree.from_dict({"posterior": posterior})

    result = mk.compare_models({"one": flat(1.0), "two": flat(2.0)}, random_seed=1)
    assert any(w.startswith("one:") and "intercept" in w for w in result.warnings)
    assert any("cancels" in w and "intercept" in w for w in result.warnings)
    alone = mk.compare_models({"one": flat(1.0), "proper": build(1.0)}, random_seed=1)
    assert not any("cancels" in w for w in alone.warnings)


def test_models_of_data_and_of_their_logarithms_are_cautioned():
    """exp(Y) ~ LogNormal is Y ~ Normal; the evidences differ by the sum of Y, the Jacobian."""
    with pm.Model() as logs:
        pm.LogNormal("z", pm.Normal("mu", 0, 1.0), 1, observed=np.exp(Y))
    one, idata = build(1.0)
    result = mk.compare_models({"plain": (one, idata), "logs": (logs, idata)}, random_seed=1)
    assert any("Jacobian" in w for w in result.warnings)
    difference = float(result.dataset["log_bayes_factor"].sel(model="plain", against="logs"))
    assert difference == pytest.approx(np.sum(Y), abs=0.01)
    with pm.Model() as renamed:
        pm.Normal("z", pm.Normal("mu", 0, 1.0), 1, observed=Y[::-1])
    same = mk.compare_models({"plain": (one, idata), "renamed": (renamed, idata)}, random_seed=1)
    assert not any("Jacobian" in w for w in same.warnings)


def test_equal_models_are_indistinguishable():
    model, tree = build(1.0)
    other, mu = tree.copy(deep=True), tree["posterior"].to_dataset()
    other["posterior"] = xr.DataTree(2 * mu.mean() - mu)
    result = mk.compare_models({"one": (model, tree), "other": (model, other)}, random_seed=3)
    cell = result.dataset.sel(model=result.summary().index[0], against=result.summary().index[1])
    assert_within(
        float(cell["log_bayes_factor"]), 0.0, mcse=float(cell["log_bayes_factor_mcse"]), sigmas=2, mcse_below=4.2e-4
    )
    assert "favour" not in result.findings()[0]


def test_sampling_problems_make_the_evidence_unreliable(tmp_path):
    model, tree = build(1.0)
    bad = tree.copy(deep=True)
    diverging = np.zeros((4, 1000), dtype=bool)
    diverging[:, ::50] = True
    bad["sample_stats"] = xr.DataTree(xr.Dataset({"diverging": (("chain", "draw"), diverging)}))
    result = mk.compare_models({"sound": (model, tree), "bad": (model, bad)}, random_seed=1)
    assert result.doubtful == ("bad",)
    assert sum(w.startswith("bad: 80 of 4,000") for w in result.warnings) == 1
    (finding,) = result.graded_findings()
    assert finding.level == "caution"
    text = result.to_html(tmp_path / "models.html").read_text(encoding="utf-8")
    assert f'<li class="caution">{finding.text}</li>' in text


def test_other_data_are_refused_before_anything_is_computed():
    """The trees are empty, so that any use of draws would fail first."""
    models = [(build(1.0, y)[0], xr.DataTree()) for y in (Y, Y[:10], Y + 1)]
    with pytest.raises(ValueError, match="20 observations and b has 10"):
        mk.compare_models({"a": models[0], "b": models[1]})
    with pytest.raises(ValueError, match="data of 'y' differ between a and b"):
        mk.compare_models({"a": models[0], "b": models[2]})


def test_tree_of_the_caller_is_left_alone():
    model, tree = build(1.0)
    mk.compare_models({"a": (model, tree), "b": build(2.0)}, random_seed=1)
    assert list(tree.children) == ["posterior"]


def test_plot(result):
    figure = result.plot()
    assert [a.get_title() for a in figure.axes] == ["log evidence", "elpd (LOO)"]


def test_sensitivity_to_priors_is_reported(result):
    """The sentence states the Bayes factor, and the exact one with both prior scales larger by a tenth."""
    (sentence,) = result.findings()
    factor = with_error(*result.bayes_factor("narrow", "wide"))
    assert f"narrow over wide by a Bayes factor of {factor}." in sentence
    cell = result.dataset.sel(model="narrow", against="wide")
    assert float(cell["log_bayes_factor_sensitivity_mcse"]) > 0
    said = 1.1 ** float(cell["log_bayes_factor_sensitivity"])
    assert f"multiply it by {said:.3g}" in sentence
    assert said == pytest.approx(np.exp(exact(1.1) - exact(11.0) - exact(1.0) + exact(10.0)), abs=0.02)
    assert sentence in repr(result)


def test_page(result, tmp_path):
    text = result.to_html(tmp_path / "models.html").read_text()
    assert text.count("<tr>") == 6
    assert result.findings()[0] in text
    assert text.count("<svg") == 2
    assert "nan" not in re.sub(r"<script>.*?</script>", "", text.split("</style>")[1], flags=re.DOTALL)
    assert "<table" in result._repr_html_()


def test_page_of_models_without_an_evidence_has_no_number_for_it(tmp_path):
    with pm.Model() as flat:
        mu = pm.Flat("mu")
        pm.Normal("y", mu, 1, observed=Y)
    result = mk.compare_models({"flat": (flat, build(10.0)[1]), "also": (flat, build(10.0)[1])}, random_seed=1)
    assert result.findings() == []
    text = result.to_html(tmp_path / "models.html").read_text()
    assert "nan" not in re.sub(r"<script>.*?</script>", "", text.split("</style>")[1], flags=re.DOTALL)


def test_evidence_of_an_ordered_prior_is_compared_as_that_of_a_distribution():
    """The same mixture with and without order: half the prior's mass, half the posterior's modes, the same model."""
    y = np.array([-1.0, 1.0])
    trees = {}
    for name, transform in (("ordered", pm.distributions.transforms.ordered), ("free", None)):
        with pm.Model() as model:
            settings = {} if transform is None else {"transform": transform}
            mu = pm.Normal("mu", 0, 2, shape=2, initval=np.array([-1.0, 1.0]), **settings)
            pm.Normal("y", mu, 0.2, observed=y)
        variance = 1 / (1 / 4 + 25)
        draws = np.sort(np.random.default_rng(1).normal(25 * variance * y, np.sqrt(variance), size=(4, 1000, 2)))
        data = xr.Dataset({"mu": (("chain", "draw", "k"), draws)})
        trees[name] = (model, xr.DataTree.from_dict({"posterior": data}))
    result = mk.compare_models(trees, random_seed=1)
    cell = result.dataset.sel(model="ordered", against="free")
    # Where the order is certain from the data, all that it adds is knowing it: a factor of 2.
    assert_within(
        float(cell["log_bayes_factor"]), np.log(2), mcse=float(cell["log_bayes_factor_mcse"]), mcse_below=0.0018
    )


def test_wrong_use(result):
    with pytest.raises(ValueError, match="at least two"):
        mk.compare_models({"a": build(1.0)})
    with pytest.raises(ValueError, match="same data"):
        mk.compare_models({"a": build(1.0), "b": build(1.0, Y[:10])})
    with pytest.raises(ValueError, match="differ"):
        mk.compare_models({"a": build(1.0), "b": build(1.0, Y + 1)})
    with pytest.raises(ValueError, match="prior_probabilities"):
        mk.compare_models({"a": build(1.0), "b": build(2.0)}, prior_probabilities={"a": 1.0})
    with pytest.raises(ValueError, match="no evidence or no log-likelihood"):
        mk.compare_models({"a": build(1.0)[1], "b": build(1.0)})
    with pytest.raises(ValueError, match="no model 'x'"):
        result.bayes_factor("x", "wide")
