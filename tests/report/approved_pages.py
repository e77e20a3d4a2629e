"""The pages whose outlines are in tests/data/pages.

After a change that is meant, `python tests/report/approved_pages.py` writes them anew; look at the pages and at the difference
before you commit it. With `--draws` the comparison is computed anew as well.
"""

import sys
from collections.abc import Callable
from functools import cache
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


@cache
def coins():
    """A study of coins that are thrown 5 and 20 times."""
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 2, 2), observed=np.zeros(5))
    settings = {"sizes": [5, 20], "replicates": 40, "estimators": ["mle", "map"], "intervals": ["profile"]}
    return study(model, {"p": 0.3}, **settings, random_seed=1)


def mean_of_five():
    """The calibration of the mean of five normal numbers."""
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1, observed=np.zeros(5))
    return calibrate(model, methods=["laplace", "mle"], simulations=60, random_seed=1)


@cache
def loaded() -> mk.Comparison:
    """The stored comparison."""
    return mk.load(TREE)


def index(path: Path) -> Path:
    """Two cards, the worse one first."""
    entry = {"href": "page.html", "name": "groups", "shows": "What it shows.", "card": index_card(loaded())}
    levels = {"groups": "ok", "a group": "problem"}
    entries = [{**entry, "name": name, "findings": [(level, f"It is {level}.")]} for name, level in levels.items()]
    return write_index(entries, path)


def proven(path: Path) -> Path:
    """The theorem for normal numbers."""
    model, truth = CASES["normal"]()
    return proof(model, truth, sizes=[20, 60], replicates=40, random_seed=1, progress=False).to_html(path)


PAGES: dict[str, Callable[[Path], Path]] = {
    "comparison": lambda path: write_html(loaded(), path, "Three <groups>.\n\nSimulated."),
    "index": index,
    "proof": proven,
    "models": lambda path: mk.compare_models({"one": loaded(), "two": loaded()}, random_seed=1).to_html(path),
    "study": lambda path: write_study_page(coins(), path, "Coins"),
    "studies": lambda path: write_study_index({"Coins": ("study.html", coins())}, path),
    "calibration": lambda path: mean_of_five().to_html(path),
}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    if "--draws" in sys.argv or not TREE.exists():
        settings = {"draws": 100, "chains": 2, "random_seed": 1, "name": "groups", "progress": False}
        mk.compare(groups(), TRUTH, **settings).save(TREE)
    made = FOLDER.parents[2] / "pages" / "approved"
    made.mkdir(parents=True, exist_ok=True)
    for name, write in PAGES.items():
        path = write(made / f"{name}.html")
        lines = outline(path.read_text(encoding="utf-8"))
        (FOLDER / f"{name}.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
        print(f"{path}: {len(lines)} lines")
