"""The pages whose outlines are in tests/data/pages.

After a change that is meant, `python tests/report/approved_pages.py` writes them anew; look at the pages and at the difference
before you commit it. With `--draws` the comparison is computed anew as well.
"""

import sys
from pathlib import Path

import numpy as np
import pymc as pm
from outline import outline

import pp_mlekl as mk
from pp_mlekl.pymc_model.examples import CASES
from pp_mlekl.report.page import index_card, write_html, write_index
from pp_mlekl.report.study_page import write_study_index, write_study_page
from pp_mlekl.simulation.calibrate import calibrate
from pp_mlekl.simulation.study import study
from pp_mlekl.theorem.proof import proof

FOLDER = Path(__file__).parents[1] / "data" / "pages"
TREE = FOLDER / "comparison.nc"
TRUTH = {"mu": 1.0, "sigma": 1.0, "theta": np.array([-1.0, 0.0, 1.0]), "b": 0.5}


def groups() -> pm.Model:
    """Groups with a scale and a derived quantity, and a continuous, a binary and a counted variable."""
    generator = np.random.default_rng(1)
    with pm.Model(coords={"group": ["a", "b", "c"]}) as model:
        mu = pm.Normal("mu", 0, 5)
        sigma = pm.HalfNormal("sigma", 2)
        theta = pm.Normal("theta", mu, 1, dims="group")
        pm.Deterministic("ratio", mu / sigma)
        b = pm.Normal("b", 0, 1)
        means = np.repeat(TRUTH["theta"], 8)
        pm.Normal("y", theta[np.repeat(np.arange(3), 8)], sigma, observed=means + generator.normal(size=24))
        x = np.linspace(-2, 2, 20)
        pm.Bernoulli("bought", logit_p=b * x, observed=generator.binomial(1, 1 / (1 + np.exp(-0.5 * x))))
        pm.Poisson("count", pm.math.exp(b), observed=generator.poisson(np.exp(0.5), 15))
    return model


def coins(**settings):
    """A study of coins that are thrown 5 and 20 times."""
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 2, 2), observed=np.zeros(5))
    given = {"sizes": [5, 20], "replicates": 40, "estimators": ["mle", "map"], "random_seed": 1}
    return study(model, {"p": 0.3}, **{**given, **settings})


def mean_of_five():
    """The calibration of the mean of five normal numbers."""
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1, observed=np.zeros(5))
    return calibrate(model, methods=["laplace", "mle"], simulations=60, random_seed=1)


def pages(folder: Path) -> dict[str, Path]:
    """Every kind of page."""
    result, thrown = mk.load(TREE), coins(intervals=["profile"])
    entry = {"href": "page.html", "name": "groups", "shows": "What it shows.", "card": index_card(result)}
    levels = {"groups": "ok", "a group": "problem"}
    entries = [{**entry, "name": name, "findings": [(level, f"It is {level}.")]} for name, level in levels.items()]
    model, truth = CASES["normal"]()
    return {
        "comparison": write_html(result, folder / "comparison.html", "Three <groups>.\n\nSimulated."),
        "index": write_index(entries, folder / "index.html"),
        "proof": proof(model, truth, sizes=[20, 60], replicates=40, random_seed=1).to_html(folder / "proof.html"),
        "models": mk.compare_models({"one": result, "two": result}, random_seed=1).to_html(folder / "models.html"),
        "study": write_study_page(thrown, folder / "study.html", "Coins"),
        "studies": write_study_index({"Coins": ("study.html", thrown)}, folder / "studies.html"),
        "calibration": mean_of_five().to_html(folder / "calibration.html"),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    if "--draws" in sys.argv or not TREE.exists():
        settings = {"draws": 100, "chains": 2, "random_seed": 1, "name": "groups", "progress": False}
        mk.compare(groups(), TRUTH, **settings).save(TREE)
    made = FOLDER.parents[2] / "pages" / "approved"
    made.mkdir(parents=True, exist_ok=True)
    for name, path in pages(made).items():
        lines = outline(path.read_text(encoding="utf-8"))
        (FOLDER / f"{name}.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
        print(f"{path}: {len(lines)} lines")
