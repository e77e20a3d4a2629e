"""The comparison as a whole: tables, verdict, storage, pages."""

import html.parser
import json
import re
import resource

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr

import pp_mlekl as mk
from models import normal_newcomb
from pp_mlekl.comparison.sentences import about_closest, about_scales
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.pymc_model.interpreter.lazy_function import CompilationCount
from pp_mlekl.utils.p_values import p_value

SETTINGS = {"draws": 300, "chains": 2, "random_seed": 4}


def build():
    return normal_newcomb.build(normal_newcomb.simulate(40, random_seed=1))


@pytest.fixture(scope="module")
def comparison():
    return mk.compare(build(), normal_newcomb.TRUTH, name="normal", **SETTINGS)


def test_tree_holds_the_documented_groups(comparison):
    groups = {
        "posterior", "prior", "posterior_predictive", "prior_predictive", "log_likelihood", "log_prior", "sample_stats",
        "observed_data", "point_estimate", "point_estimate_se", "information_gain", "fitted", "audit",
    }  # fmt: skip
    assert groups <= set(comparison.tree.children)
    assert list(comparison.tree["point_estimate"]["estimator"].values) == ["mle", "map", "map_unconstrained"]
    assert {"mle", "map", "posterior_predictive"} <= set(comparison.tree["fitted"]["estimator"].values)
    joint = comparison.tree["information_gain"]["joint"]
    known = ("kl_posterior_prior", "kl_prior_posterior", "jsd", "log_evidence", "model_dimensionality")
    for name in (*known, "kl_posterior_laplace", "kl_laplace_posterior"):
        assert not np.isnan(float(joint[name])), name
        assert f"{name}_mcse" in joint
    assert float(joint["laplace_pareto_k"]) < 0.7
    assert {"log Z", "KL(Laplace||posterior)"} <= set(comparison.divergences()["direction"])
    attributes = comparison.tree.attrs
    assert attributes["random_seed"] == 4
    assert attributes["pymc_version"] == pm.__version__


def test_maketables_reads_a_comparison_and_an_estimate(comparison):
    columns = {"b", "se", "t", "p", "ci95l", "ci95u"}
    table = comparison.__maketables_coef_table__
    assert (table.index.name, list(table.index), set(table.columns)) == ("Coefficient", ["mu", "sigma"], columns)
    sigma = comparison.tree["posterior"]["sigma"].values
    assert table.loc["sigma", "ci95u"] == pytest.approx(np.quantile(sigma, 0.975))
    np.testing.assert_allclose(table[["b", "se"]], comparison.summary()[["mean", "sd"]])
    assert table["p"].isna().all()
    statistics = {key: comparison.__maketables_stat__(key) for key in comparison.__maketables_default_stat_keys__}
    evidence = float(comparison.tree["information_gain/joint/log_evidence"])
    assert statistics == {"N": 40, "elpd": comparison.diagnostics.loo["elpd"].sum(), "log_evidence": evidence}
    assert comparison.__maketables_stat__("r2") is None
    mle = mk.find_mle(build(), random_seed=1)
    table = mle.__maketables_coef_table__
    assert (table.index.name, set(table.columns)) == ("Coefficient", columns)
    np.testing.assert_allclose(table["b"], comparison.summary()["MLE"], rtol=1e-6)
    np.testing.assert_allclose(table["ci95u"] - table["b"], 1.959964 * table["se"], rtol=1e-6)
    assert mle.__maketables_depvar__ == comparison.__maketables_depvar__ == "deviation"
    assert mle.__maketables_stat__("aic") == mle.aic


def test_numbers_are_those_of_the_single_functions(comparison):
    y = comparison.tree["observed_data"]["deviation"].values
    summary = comparison.summary()
    np.testing.assert_allclose(summary["MLE"], [y.mean(), y.std()], rtol=1e-7)
    np.testing.assert_allclose(summary["SE"], [y.std() / np.sqrt(40), y.std() / np.sqrt(80)], rtol=1e-6)
    kl = float(comparison.tree["fitted"]["kl_mean"].sel(estimator="mle"))
    truth = normal_newcomb.TRUTH
    ratio = truth["sigma"] / y.std()
    exact = 0.5 * (ratio**2 - 1 - 2 * np.log(ratio) + ((truth["mu"] - y.mean()) / y.std()) ** 2)
    assert kl == pytest.approx(exact, rel=1e-7)


def test_divergences_from_laplace_are_those_of_the_single_functions(comparison):
    model = build()
    joint = comparison.tree["information_gain/joint"]
    evidence = Estimate(
        value=float(joint["log_evidence"]), mcse=float(joint["log_evidence_mcse"]), method="", direction="log Z"
    )
    approximation = mk.laplace(model, mk.find_map(model, space="unconstrained", random_seed=1))
    forward = approximation.kl_from_posterior(comparison.tree, evidence)
    reverse = approximation.kl_to_posterior(evidence, random_seed=1)
    assert float(joint["kl_posterior_laplace"]) == pytest.approx(float(forward), rel=1e-5)
    assert float(joint["kl_laplace_posterior"]) == pytest.approx(float(reverse), rel=1e-5)
    assert float(joint["kl_laplace_posterior_mcse"]) == pytest.approx(float(reverse.mcse), rel=1e-5)
    assert float(forward) != pytest.approx(float(reverse), rel=0.01)


def test_verdict_reads_everything(comparison):
    verdict = comparison.verdict()
    topics = {f.topic for f in verdict.findings}
    assert {"convergence", "efficiency", "divergences", "leave-one-out", "prior", "MLE"} <= topics
    assert not verdict.scope
    assert str(verdict).startswith(verdict.sentence)
    assert verdict.level == max((f.level for f in verdict.findings), key=["ok", "caution", "problem"].index)
    assert verdict._repr_html_().count("<li") == len(verdict.findings)


def test_verdict_says_which_fit_is_closest_and_how_far_off(comparison):
    fitted = comparison.tree["fitted"].to_dataset()
    closest = fitted["kl"].idxmin().item()
    name = {"mle": "MLE", "map": "MAP", "posterior_predictive": "posterior predictive"}[closest]
    found = re.search(rf"{name} \(KL ([\d.]+)", about_closest(fitted))
    assert float(found[1]) == pytest.approx(float(fitted["kl"].min()), rel=0.05)
    assert about_closest(fitted) in comparison.verdict().conclusion
    other = {"yes": "no", "no": "yes"}[fitted.attrs["closest_is_clear"]]
    assert about_closest(fitted.assign_attrs(closest_is_clear=other)) != about_closest(fitted)


def test_a_single_observation_has_no_sum_over_observations(comparison):
    tree = comparison.tree.copy(deep=True)
    tree.attrs["n_observations"] = 1
    quantities = mk.Comparison(tree=tree).divergences()["quantity"]
    assert not quantities.str.contains("over observations").any()
    assert "KL, of the single observation" in set(quantities)


def test_log_evidence_is_that_of_a_prior_that_integrates_to_one(comparison):
    tree = comparison.tree.copy(deep=True)
    joint = tree["information_gain/joint"].to_dataset()
    tree["information_gain/joint"] = xr.DataTree(joint.assign(log_prior_normalizer=-2.0, log_prior_normalizer_mcse=0.0))
    rows = [c.divergences().set_index("direction").loc["log Z"] for c in (comparison, mk.Comparison(tree=tree))]
    assert rows[1]["value"] == rows[0]["value"] + 2.0
    assert f"{rows[0]['value']:.6g}" in rows[1]["quantity"]
    assert f"{rows[0]['value']:.6g}" not in rows[0]["quantity"]


def test_verdict_says_how_far_the_two_maps_are_apart(comparison, tmp_path):
    y = comparison.tree["observed_data"]["deviation"].values
    (finding,) = [f for f in comparison.verdict().findings if f.topic == "MAP and scale"]
    table = comparison.summary()
    gap = ((table["MAP_unconstrained"] - table["MAP"]) / table["sd"]).abs()
    assert f"{gap['sigma']:.2g} posterior sd (sigma: " in finding.text
    assert gap["sigma"] == gap.max()
    # The Jacobian adds log sigma: the mode moves by about one variance over sigma.
    assert gap["sigma"] * table["sd"]["sigma"] == pytest.approx(y.std() / 80, rel=0.1)
    assert finding.text in comparison.to_markdown(tmp_path / "c.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("natural", "free", "statuses", "level", "numbers"),
    [
        ([1.0, 2.0], [1.0, 2.0], ("converged", "converged"), "ok", []),
        ([1.0, 2.0], [1.1, 4.5], ("converged", "converged"), "caution", ["1.2", "2", "4.5"]),
        ([np.nan, np.nan], [1.0, 2.0], ("unbounded", "converged"), "caution", []),
    ],
)
def test_difference_of_the_two_maps(natural, free, statuses, level, numbers):
    table = pd.DataFrame({"MAP": natural, "MAP_unconstrained": free, "sd": [1.0, 2.0]}, index=["a", "b"])
    finding = about_scales(table, dict(zip(("map", "map_unconstrained"), statuses, strict=True)))
    assert finding.level == level
    assert re.findall(r"\d+(?:\.\d+)?", finding.text) == numbers


@pytest.mark.parametrize("name", ["c.nc", "c.zarr"])
def test_save_and_load_give_an_equal_tree(comparison, tmp_path, name):
    comparison.save(tmp_path / name)
    comparison.save(tmp_path / name)
    loaded = mk.load(tmp_path / name)
    assert loaded.tree.identical(comparison.tree)
    assert str(loaded.verdict()) == str(comparison.verdict())
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_load_says_what_is_wrong(tmp_path):
    with pytest.raises(FileNotFoundError, match="no comparison"):
        mk.load(tmp_path / "none.nc")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="comparison"):
        mk.load(tmp_path / "other.nc")


class _Outline(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.images, self.external, self.tables = [], [], [], 0

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tables += tag == "table"
        if attrs.get("role") == "img":
            self.images.append(attrs)
        self.external += [v for k, v in attrs.items() if k in ("src", "href") and v.startswith(("http", "//"))]
        if tag not in ("meta", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_self_contained(comparison, tmp_path):
    page = comparison.to_html(tmp_path / "page.html")
    text = page.read_text(encoding="utf-8")
    outline = _Outline()
    outline.feed(text)
    assert not outline.open
    assert not outline.external
    assert outline.tables >= 4
    assert len(outline.images) >= 5
    assert all(image["aria-label"] for image in outline.images)
    assert len(text) < 3_000_000
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_no_panel_is_overwritten(comparison):
    (axis,) = comparison.plot_loo_pit().axes
    assert not axis.texts
    p = comparison.diagnostics.loo.loc["deviation", "p_uniform"]
    assert axis.get_title() == f"deviation, {p_value(p)}"


def test_markdown_has_the_tables(comparison, tmp_path):
    text = comparison.to_markdown(tmp_path / "page.md").read_text(encoding="utf-8")
    assert "## Parameters" in text
    assert "KL(truth\\|\\|MLE)" in text
    rules = {len(line.split("|")): line for line in text.splitlines() if line.startswith("| ---")}
    assert rules[5] == "| --- | ---: | --- |"


def test_failed_write_leaves_nothing(comparison, tmp_path, monkeypatch):
    page = comparison.to_markdown(tmp_path / "page.md")
    before = page.read_text(encoding="utf-8")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        comparison.to_markdown(page)
    monkeypatch.undo()
    assert page.read_text(encoding="utf-8") == before
    assert [p.name for p in tmp_path.iterdir()] == ["page.md"]


@pytest.mark.parametrize("name", ["c.nc", "page.md"])
def test_full_disk_is_an_error_that_names_the_file(comparison, tmp_path, name):
    write = comparison.save if name == "c.nc" else comparison.to_markdown
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=name):
            write(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_compact_files_keep_tables_and_verdict(comparison, tmp_path):
    full, compact = comparison.save(tmp_path / "full.nc"), comparison.save(tmp_path / "compact.nc", compact=True)
    left_out = ("log_likelihood", "posterior_predictive", "prior_predictive")
    numbers = sum(comparison.tree[group].nbytes for group in left_out)
    assert full.stat().st_size - compact.stat().st_size > 0.6 * numbers
    read = mk.load(compact)
    rows = comparison.tree["observed_data"]["deviation"].dims[0]
    draws_by_rows = [
        name for node in read.tree.subtree for name, a in node.data_vars.items() if {"draw", rows} <= {*a.dims}
    ]
    assert draws_by_rows == []
    pd.testing.assert_frame_equal(read.summary(), comparison.summary())
    pd.testing.assert_frame_equal(read.divergences(), comparison.divergences())
    assert read.verdict() == comparison.verdict()
    pd.testing.assert_frame_equal(read.diagnostics.checks, comparison.diagnostics.checks, check_dtype=False)
    assert "Chains" in read.to_html(tmp_path / "page.html").read_text(encoding="utf-8")


def test_same_seed_same_numbers(comparison):
    again = mk.compare(build(), normal_newcomb.TRUTH, name="normal", **SETTINGS)
    for group in ("posterior", "point_estimate", "fitted", "posterior_predictive"):
        assert again.tree[group].to_dataset().equals(comparison.tree[group].to_dataset()), group
    assert again.tree["information_gain"]["joint"].equals(comparison.tree["information_gain"]["joint"])


def test_unknown_truth_compares_with_the_predictive():
    before = CompilationCount.compiled
    result = mk.compare(build(), skip=("evidence", "laplace", "loo", "derived"), **SETTINGS)
    directions = " ".join(result.divergences()["direction"])
    assert "KL(posterior predictive||MLE)" in directions
    assert result.verdict().scope
    assert CompilationCount.compiled == before


def test_an_estimate_that_does_not_exist_is_shown_as_its_status():
    with pm.Model() as model:
        x = np.array([-2.0, -1.0, 1.0, 2.0])
        slope = pm.Normal("slope", 0, 2.5)
        pm.Bernoulli("y", logit_p=slope * x, observed=[0, 0, 1, 1])
    skipped = ("evidence", "laplace", "loo", "derived")
    result = mk.compare(model, name="separated", skip=skipped, **SETTINGS)
    assert result.statuses["mle"] == "at_infinity"
    assert np.isnan(result.summary().loc["slope", "MLE"])
    assert np.isnan(result.summary().loc["slope", "SE"])
    assert np.isnan(result.tree["fitted"]["kl"].sel(estimator="mle"))
    levels = {f.topic: f.level for f in result.verdict().findings}
    assert levels["MLE"] == "problem"
    assert levels["MAP (natural scale)"] != "problem"
    assert json.loads(result.tree["audit"].attrs["warnings"])["mle"]


def test_a_standard_error_needs_its_estimate(comparison):
    """The data identify only one parameter: its standard error is known, but the joint maximum is not."""
    tree = comparison.tree.copy(deep=True)
    audit = tree["audit"].to_dataset()
    tree["audit"] = xr.DataTree(
        audit.assign(status=audit["status"].where(audit["estimator"] != "mle", "not_identified"))
    )
    table = mk.Comparison(tree=tree).summary()
    assert table[["MLE", "SE"]].isna().all(axis=None)
    assert comparison.summary()["SE"].notna().all()


def test_wrong_use_is_refused_before_anything_runs():
    with pytest.raises(ValueError, match="sigma"):
        mk.compare(build(), {"mu": 1.0}, **SETTINGS)
    with pytest.raises(ValueError, match="positive integer"):
        mk.compare(build(), draws=0)
    with pytest.raises(TypeError, match="must be a pymc"):
        mk.compare("model")


@pytest.mark.slow
def test_observed_vectors_are_compared_and_shown(tmp_path):
    data = np.random.default_rng(4).normal(size=(20, 2))
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2, shape=2)
        pm.MvNormal("rows", mu, np.eye(2), observed=data)
        pm.MvNormal("joint", pt.repeat(mu, 3), np.eye(6), observed=data[:3].ravel())
    result = mk.compare(model, draws=200, chains=2, random_seed=1)
    assert np.all(result.tree["fitted"]["kl"] > 0)
    assert "LOO-PIT" not in result.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
