"""``pp-mlekl proof`` and ``pp-mlekl study``: shipped cases, the gallery, models of one's own, wrong use."""

import re

import numpy as np
import pytest
import xarray as xr
from command_line import run

from pp_mlekl.theorem.proof_result import Check, Proof, Step

MODEL = """
import numpy as np
import pymc as pm

def build():
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 2)
        pm.Normal("y", mu, sigma, observed=np.arange(10.0))
    return model
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MODEL)
    (tmp_path / "truth.toml").write_text("mu = 1.0\n")
    return path


def test_a_model_of_ones_own_to_a_page(model, tmp_path):
    arguments = ["--truth", "StudentT(6, 0, 1)", "--sizes", "30,100", "--replicates", "40", "--out", tmp_path]
    result = run("proof", f"{model}:build", *arguments)
    assert result.exit_code == 0, result.output
    assert re.search(r"7\. .*: pass", result.output)
    assert "student" in (tmp_path / "proof-mine.html").read_text(encoding="utf-8").lower()


@pytest.mark.parametrize(("right", "status", "said"), [(1.0, 0, "pass"), (2.0, 1, "fail")])
def test_a_failed_proof_is_a_failure_of_the_command(tmp_path, monkeypatch, right, status, said):
    """Proofs made by hand."""
    check = Check(what="a = b", left=1.0, right=right, error=0.1, source="")
    step = Step(number=1, title="t", claim="c", checks=(check,))
    made = Proof(name="n", truth="t", steps=(step,), pseudo_true=None, settings={})
    monkeypatch.setattr("pp_mlekl.theorem.proof.proof", lambda *_, **__: made)
    monkeypatch.setattr(Proof, "to_html", lambda self, path: path.write_text("page"))
    result = run("proof", "bernoulli", "--out", tmp_path)
    assert result.exit_code == status
    assert f"1. t: {said}" in result.stdout
    assert (tmp_path / "proof-bernoulli.html").exists()


def test_the_table_of_a_study_has_the_numbers_of_its_summary(monkeypatch):
    """Of a summary made by hand, for two estimators, two sizes and seven parameters."""
    shape = ("estimator", "size")
    numbers = {"kl": [[0.1234, 0.2345], [0.3456, 0.4567]], "kl_mcse": [[0.0123, 0.0234], [0.0345, 0.0456]]}
    numbers |= {"kl_theory": [[0.11, 0.22], [0.33, 0.44]], "exists": [[0.75, 1.0], [0.5, 0.9]]}
    covered = {"coverage_sandwich": 0.911 + 0.01 * np.arange(7), "coverage_estimated": 0.811 + 0.01 * np.arange(7)}
    summary = xr.Dataset(
        {name: (shape, np.array(values)) for name, values in numbers.items()}
        | {name: ((*shape, "parameter"), np.broadcast_to(values, (2, 2, 7))) for name, values in covered.items()},
        coords={"estimator": ["mle", "map"], "size": [10, 30]},
    )
    summary["coverage_estimated"] = summary["coverage_estimated"].where(summary["estimator"] == "mle")
    made = xr.DataTree.from_dict({"summary": summary})
    monkeypatch.setattr("pp_mlekl.simulation.study.study", lambda *_, **__: made)
    lines = run("study", "bernoulli").stdout.splitlines()
    (row,) = [line for line in lines if re.match(r"map +30 ", line)]
    assert row.split()[:6] == ["map", "30", "0.4567", "0.0456", "0.44", "10.00%"]
    assert "0.911, 0.921, 0.931, 0.941, 0.951, 0.961" in row
    assert "0.971" not in row
    assert "0.8" not in row
    (row,) = [line for line in lines if re.match(r"mle +10 ", line)]
    assert row.split()[2:6] == ["0.1234", "0.0123", "0.11", "25.00%"]
    assert "0.811, 0.821" in row


def test_a_study_of_the_gallery():
    result = run("study", "logistic_spector", "--sizes", "64", "--replicates", "20")
    assert result.exit_code == 0, result.output
    assert "covered (own sandwich)" in result.output


def test_a_study_in_a_store_and_on_a_page(model, tmp_path):
    store, page = tmp_path / "study.zarr", tmp_path / "study.html"
    (tmp_path / "truth.toml").write_text("mu = 1.0\nsigma = 2.0\n")
    arguments = [
        "study",
        f"{model}:build",
        "--truth",
        tmp_path / "truth.toml",
        "--sizes",
        "10,20",
        "--replicates",
        "20",
    ]
    result = run(*arguments, "--compute", "coverage", "--out", store, "--page", page)
    assert result.exit_code == 0, result.output
    assert "mine" in page.read_text(encoding="utf-8")
    again = run(*arguments, "--compute", "coverage", "--out", store, "--seed", "2")
    assert again.exit_code == 2
    assert "holds another study" in again.output


def test_a_calibration_on_a_page(model, tmp_path):
    page = tmp_path / "calibration.html"
    result = run("calibrate", f"{model}:build", "--methods", "laplace,mle", "--simulations", "30", "--out", page)
    assert result.exit_code == 0, result.output
    assert "laplace: calibrated (all " in result.output
    assert "<h1>mine: calibration</h1>" in page.read_text(encoding="utf-8")
    assert "<svg" in page.read_text(encoding="utf-8")


def test_a_calibration_by_the_modules_own_data(model):
    text = "import numpy as np\n\ndef simulate(n, truth, random_seed):\n    return np.full(n, 1e3)\n"
    model.write_text(model.read_text(encoding="utf-8") + text, encoding="utf-8")
    result = run("calibrate", f"{model}:build", "--methods", "laplace", "--simulations", "30", "--simulate")
    assert result.exit_code == 0, result.output
    assert "not calibrated" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["calibrate", "MODEL", "--simulate"], "no function simulate"),
        (["proof", "bernouli"], "did you mean bernoulli?"),
        (["proof", "eight_school"], "did you mean eight_schools?"),
        (["study", "bernoulli", "--sizes", "ten"], "--sizes must be numbers"),
        (["proof", "bernoulli", "--replicates", "3"], "at least 30"),
        (["study", "bernoulli", "--estimators", "median"], "must be among mle"),
        (["study", "bernoulli", "--estimators", "mle,mle"], "once each"),
        (["study", "bernoulli", "--sizes", "9" * 30], "memory"),
        (["study", "bernoulli", "--replicates", "9" * 15], "memory"),
        (["proof", "bernoulli", "--sizes", "10," + "9" * 30], "memory"),
        (["proof", "bernoulli", "--seed", "-1"], "--seed must be"),
        (["study", "bernoulli", "--out", "MODEL_FILE/x.nc"], "Nothing can be written to"),
        (["study", "bernoulli", "--compute", "speed"], "must be among kl, coverage"),
        (["study", "bernoulli", "--workers", "0"], "--workers must be"),
        (["study", "bernoulli", "--workers", "1", "--scheduler", "tcp://x:1"], "exclude each other"),
        (["calibrate", "MODEL", "--methods", "hmc"], "must be among posterior"),
        (["calibrate", "MODEL", "--store", "x.nc"], "ends in .zarr"),
        (["proof", "MODEL"], "has no TRUTH"),
        (["proof", "MODEL", "--truth", "TRUTH"], "truth lacks the parameter 'sigma'"),
        (["proof", "MODEL", "--truth", "Poisson(3)"], "is discrete, but must be continuous"),
        (["proof", "MODEL", "--truth", "Cauchy(0, 1)"], "has no regular minimum"),
    ],
)
def test_wrong_use_is_one_line_with_status_2(model, arguments, message):
    places = {"MODEL": f"{model}:build", "TRUTH": model.with_name("truth.toml")}
    result = run(*(places.get(a, a.replace("MODEL_FILE", str(model))) for a in arguments))
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_study_says_what_its_intervals_are_made_from(monkeypatch):
    """Of the intervals that it has, as with ``--simulate``, where the asymptotic covariance is not known."""
    values = xr.DataArray(np.full((1, 1, 1), 0.9), dims=("estimator", "size", "parameter"))
    summary = xr.Dataset({"coverage_estimated": values, "coverage_profile": values, "exists": values[..., 0]})
    made = xr.DataTree.from_dict({"summary": summary.assign_coords(estimator=["mle"], size=[8])})
    monkeypatch.setattr("pp_mlekl.simulation.study.study", lambda *_, **__: made)
    said = run("study", "bernoulli").stdout
    assert "exact sandwich" not in said
    assert said.count("own sandwich") == said.count("profile)") == 2
