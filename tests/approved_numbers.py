"""Numbers of public functions that tests/data/approved_numbers.json holds: those without an oracle are among them.

An oracle says whether a number is right; this says whether it changed. After a change that is meant,
`python tests/approved_numbers.py [NAME ...]` writes the numbers anew; say in the commit why they differ.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "report")]
sys.path.insert(0, str(Path(__file__).parent / "divergences"))

import approved_pages  # noqa: E402
import univariate_cases  # noqa: E402

import pp_mlekl as mk  # noqa: E402
from pp_mlekl.diagnostics.diagnose import diagnose  # noqa: E402
from pp_mlekl.diagnostics.sampled_loo import leave_one_out  # noqa: E402
from pp_mlekl.inputs.read import as_distribution  # noqa: E402

FILE = Path(__file__).parent / "data" / "approved_numbers.json"
# Larger arrays are summed up by a few numbers.
_MOST = 8
# Of a finding what was measured, and the way of a search, are often rounding errors.
_LEFT_OUT = {"warnings", "message", "measured", "directions", "climb", "modes", "onward", "settled"}
CASES: dict[str, Callable[[], object]] = {}


def case(function):
    """Adds a case that is called like its function."""
    CASES[function.__name__] = function
    return function


@singledispatch
def plain(value: Any) -> Any:
    """Numbers, texts and lists that JSON can hold; of warnings only how many there are."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.name not in _LEFT_OUT}
    return value if value is None or isinstance(value, str | bool) else type(value).__name__


@plain.register
def _(value: mk.Estimate):
    return {k: plain(getattr(value, k)) for k in ("value", "mcse", "method", "unit")} | {
        "warnings": len(value.warnings)
    }


@plain.register
def _(value: xr.DataTree):
    return {path: plain(node.to_dataset()) for path, node in value.subtree_with_keys if node.data_vars}


@plain.register
def _(value: xr.Dataset):
    return {str(name): plain(array.values) for name, array in value.data_vars.items()}


@plain.register
def _(value: xr.DataArray):
    return plain(value.values)


@plain.register
def _(value: pd.DataFrame):
    return {str(name): plain(column.to_numpy()) for name, column in value.items()}


@plain.register
def _(value: Mapping):
    return {str(key): plain(one) for key, one in value.items()}


@plain.register
def _(value: list | tuple):
    return [plain(one) for one in value]


@plain.register
def _(value: np.ndarray):
    if value.size > _MOST and value.dtype.kind in "fiub":
        known = value[np.isfinite(value)].astype(float)
        sums = [known.sum(), np.abs(known).sum(), known.min(), known.max()] if known.size else []
        return [value.size, known.size, *map(float, sums), *plain(value.ravel()[[0, 1, -1]])]
    return [plain(one) for one in value.ravel()] if value.ndim else plain(value[()])


@plain.register
def _(value: float | int | np.number | np.bool_):
    number = float(value)
    return bool(value) if isinstance(value, bool | np.bool_) else number if np.isfinite(number) else str(number)


@cache
def schools():
    """Three groups with a scale."""
    with pm.Model(coords={"g": ["a", "b", "c"]}) as model:
        mu, tau = pm.Normal("mu", 0, 3), pm.HalfNormal("tau", 2)
        theta = pm.Normal("theta", mu, tau, dims="g")
        pm.Normal("y", theta, 1.0, observed=np.array([0.5, 2.0, -1.0]), dims="g")
    return model


@cache
def regression():
    """A normal regression with a scale."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(25, 2))
    with pm.Model() as model:
        b, sigma = pm.Normal("b", 0, 2, shape=2), pm.HalfNormal("sigma", 2)
        y = x @ [1.0, -0.5] + generator.normal(size=25)
        pm.Normal("y", pm.math.dot(x, b), sigma, observed=y)
    return model


@cache
def coins():
    """Seven of ten, one after the other."""
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 2, 2), observed=np.repeat([1, 0], [7, 3]))
    return model


@cache
def counts():
    """A Poisson regression of twelve counts."""
    x = np.linspace(-1, 1, 12)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 2), pm.Normal("b", 0, 2)
        pm.Poisson("y", pm.math.exp(a + b * x), observed=[0, 1, 0, 2, 1, 3, 2, 2, 4, 6, 5, 9])
    return model


@cache
def exact():
    """Exact draws of the coins, as a tree."""
    p = np.random.default_rng(3).beta(9, 5, size=(2, 250))
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"p": (("chain", "draw"), p)})})


@cache
def loaded():
    """The comparison of the approved pages."""
    return mk.load(approved_pages.TREE)


grouped = cache(approved_pages.groups)


@cache
def fit(model_of, method="mle", **settings):
    """A point estimate, once."""
    return getattr(mk, f"find_{method}")(model_of(), random_seed=1, **settings)


def samples(seed, n=400, shift=0.0, d=2):
    """Dependent normal draws."""
    z = np.random.default_rng(seed).normal(size=(2, n, d))
    return z @ np.linalg.cholesky(np.eye(d) * 0.5 + 0.5).T + shift


PAIRS = [
    ("Normal(0, 1)", "StudentT(4, 0.5, 2)"),
    ("Gamma(2, 1)", "LogNormal(0.3, 0.7)"),
    ("Beta(2, 3)", "Kumaraswamy(2, 3)"),
    ("Poisson(3)", "NegativeBinomial(3, 2)"),
    ("Weibull(1.5, 2)", "Gamma(2, 1)"),
    ("VonMises(0.5, 2)", "VonMises(0, 1)"),
    ("Laplace(0, 1)", "Logistic(0.2, 0.8)"),
    ("SkewNormal(0, 1, 3)", "Normal(0.7, 0.8)"),
    ("Binomial(8, 0.3)", "BetaBinomial(2, 3, 8)"),
    ("Exponential(1)", "Pareto(2, 1)"),
]


@case
def kl_of_pairs():
    return {f"{p} {q}": [mk.kl_divergence(p, q), mk.kl_divergence(q, p)] for p, q in PAIRS}


@case
def js_of_pairs():
    return {f"{p} {q}": mk.js_divergence(p, q, base=2) for p, q in PAIRS}


@case
def wasserstein_of_pairs():
    return {f"{p} {q}": [mk.wasserstein_distance(p, q, order=k) for k in (1, 2)] for p, q in PAIRS[:3]}


@case
def entropies():
    return {p: mk.entropy(p) for pair in PAIRS for p in pair} | {"cross": mk.cross_entropy(*PAIRS[0])}


def member(name):
    """A generic member of a family."""
    return mk.distribution(name, **univariate_cases.CONTINUOUS.get(name, univariate_cases.DISCRETE.get(name)))


# Of these a number takes half a second and more.
_COSTLY = ("NormalMixture", "Wald", "PolyaGamma", "HurdlePoisson", "ExGaussian")


@case
def families():
    """Moments, quantiles and density of each, and draws, with the divergences from the next of its kind."""
    return _families(costly=False)


@case
def costly_families():
    return _families(costly=True)


def _families(*, costly):
    found, u = {}, np.array([0.001, 0.1, 0.6, 0.97])
    for kind in (univariate_cases.CONTINUOUS, univariate_cases.DISCRETE):
        names = list(kind)
        for place, (name, other) in enumerate(zip(names, [*names[1:], names[0]], strict=True)):
            if (name in _COSTLY) != costly:
                continue
            p, q = member(name), member(other)
            x = p.sample((200,), np.random.default_rng(1))
            found[name] = [p.quantile(u), p.upper_quantile(u), x, p.log_density(x), p.cdf(x[:5]), p.survival(x[:5])]
            found[name] += [mk.entropy(p), mk.kl_divergence(p, q)]
            found[name] += [f(p, q) for f in (mk.js_divergence, mk.wasserstein_distance) if place % 4 == 0]
    return found


@case
def multivariate():
    m, c = np.array([0.2, -0.1]), np.array([[1.2, 0.3], [0.3, 0.8]])
    chol = np.linalg.cholesky(c)
    pairs = {
        "normals": (
            mk.distribution("MvNormal", m, c),
            mk.distribution("MvNormal", 0 * m, chol=(chol + np.eye(2)).tolist()),
        ),
        "students": (mk.distribution("MvStudentT", 5, m, c), mk.distribution("MvStudentT", 7, 0 * m, chol=chol)),
        "mixed": (mk.distribution("MvStudentT", 5, m, c), mk.distribution("MvNormal", m, tau=c)),
        "simplex": (mk.distribution("Dirichlet", [1.0, 2.0, 3.0]), mk.distribution("Dirichlet", [2.0, 2.0, 1.5])),
        "counts": (
            mk.distribution("Multinomial", 5, [0.2, 0.3, 0.5]),
            mk.distribution("Multinomial", 5, [0.4, 0.3, 0.3]),
        ),
        "wisharts": (mk.distribution("Wishart", 4, c), mk.distribution("Wishart", 5, np.eye(2))),
    }
    given = {"random_seed": 1, "rtol": 0.02, "budget": 20_000}
    return {
        name: [f(p, q, **given) for f in (mk.kl_divergence, mk.cross_entropy, mk.js_divergence)]
        + [mk.kl_divergence(q, p, **given), mk.entropy(p, **given)]
        for name, (p, q) in pairs.items()
    }


@case
def draws_of_many_kinds():
    """In five dimensions, with ties, of counts, on a circle, of vectors with atoms."""
    generator, given = np.random.default_rng(5), {"random_seed": 1}
    sets = {
        "five": [samples(k, n=600, shift=0.2 * k, d=5) for k in (0, 1)],
        "skewed": [np.exp(samples(k, n=500)) * (1 + 0.3 * k) for k in (2, 3)],
        "counts": [generator.poisson(m, (2, 400)) for m in (2.0, 2.6)],
        "pairs of counts": [generator.poisson(m, (2, 400, 2)) for m in (0.8, 1.2)],
        "heavy": [generator.standard_t(2.5, (2, 500)) + k for k in (0, 1)],
        "few": [generator.normal(k, 1, (1, 60)) for k in (0, 1)],
    }
    found = {}
    for name, pair in sets.items():
        p, q = (xr.DataArray(z, dims=["chain", "draw", *["i"] * (z.ndim - 2)]) for z in pair)
        functions = [mk.kl_divergence, mk.js_divergence] + ([] if "counts" in name else [mk.wasserstein_distance])
        found[name] = [f(p, q, **given) for f in functions] + [mk.entropy(p, **given)]
    angles = [generator.vonmises(k, 2, (2, 300)) for k in (0.0, 0.5)]
    found["angles"] = mk.kl_divergence(
        *(xr.DataArray(a, dims=["chain", "draw"]) for a in angles), period=2 * np.pi, **given
    )
    return found


@case
def of_other_packages():
    frozen = stats.gamma(2.0, scale=[0.5, 1.5])
    preliz = pytest.importorskip("preliz")
    return {
        "scipy": [mk.kl_divergence(frozen, stats.lognorm(0.5)), mk.entropy(frozen)],
        "preliz": [mk.kl_divergence(preliz.Gamma(2, 1), preliz.LogNormal(0.3, 0.7)), mk.entropy(preliz.Beta(2, 3))],
        "ends of preliz": vars(as_distribution(preliz.Uniform([0.0, 1.0], [2.0, 5.0])).support()),
    }


@case
def divergences_of_draws():
    p, q = samples(1), samples(2, shift=0.3)
    as_set = [xr.Dataset({"z": (("chain", "draw", "i"), z)}) for z in (p, q)]
    return {
        "kl": mk.kl_divergence(*as_set, random_seed=1),
        "js": mk.js_divergence(*as_set, random_seed=1),
        "w": mk.wasserstein_distance(*as_set, random_seed=1),
        "h": mk.entropy(as_set[0], random_seed=1),
        "1d": mk.kl_divergence(*(one.isel(i=0) for one in as_set), random_seed=1),
        "to a family": [
            f(as_set[0].isel(i=0), "Normal(0, 1)", random_seed=1) for f in (mk.kl_divergence, mk.js_divergence)
        ],
        "to normal": mk.kl_divergence(as_set[0], mk.distribution("MvNormal", np.zeros(2), np.eye(2)), random_seed=1),
    }


@case
def estimates():
    found = {}
    # Not of the schools: how far the search for an unbounded density goes depends on rounding.
    for build in (regression, coins, counts):
        for method, settings in (("mle", {}), ("map", {}), ("map", {"space": "unconstrained"})):
            e = fit(build, method, **settings)
            key = f"{build.__name__} {method} {settings}"
            found[key] = [e.values, e.standard_error, e.status, e.log_likelihood, len(e.warnings), list(e.findings)]
    return found


@case
def intervals_and_tests():
    model, e = counts(), fit(counts)
    return {
        "wald": mk.wald_interval(model, e, ci_prob=0.9),
        "sandwich": [mk.sandwich(model, e), mk.sandwich_interval(model, e, ci_prob=0.9)],
        "profile": mk.profile(model, e, ci_prob=0.9, points=7),
        "tests": mk.nested_tests(model, e, null={"b": 0.0}, random_seed=1),
        "matrix": mk.information_matrix_test(model, e, replicates=49, random_seed=1),
        "bootstrap": [mk.bootstrap(model, e, kind=k, replicates=60, random_seed=1) for k in ("case", "parametric")],
        "jeffreys": fit(counts, "map", penalty="jeffreys").values,
    }


@case
def delta_methods():
    model = derived()
    e = mk.find_mle(model, random_seed=1)
    found = {error: mk.delta_method(model, e, error=error) for error in ("information", "sandwich")}
    return {k: [v.values, v.standard_error, v.interval(ci_prob=0.9)] for k, v in found.items()}


@cache
def derived():
    """A sample with derived quantities that have a range."""
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 3), pm.HalfNormal("sigma", 3)
        pm.Deterministic("ratio", mu / sigma)
        pm.Deterministic("above", pm.math.invprobit(mu / sigma))
        pm.Normal("y", mu, sigma, observed=[0.3, 1.2, 2.2, -0.4, 0.9])
    return model


@cache
def persons():
    """Three items of twenty persons, whose abilities are far from normal given the answers."""
    generator = np.random.default_rng(1)
    answers = generator.binomial(1, 1 / (1 + np.exp(-2 * generator.normal(size=(20, 1)) - [0.5, 0.0, -0.5])))
    with pm.Model() as model:
        scale, easy = pm.HalfNormal("scale", 2), pm.Normal("easy", 0, 2, shape=3)
        ability = pm.Normal("ability", 0, 1, shape=20)
        pm.Bernoulli("y", logit_p=scale * ability[:, None] + easy, observed=answers)
    return model


@case
def marginal_estimates():
    found = {}
    for build, latents in ((schools, "theta"), (persons, "ability")):
        e = mk.find_mle(build(), marginalize=latents, random_seed=1)
        found[build.__name__] = [e.values, e.standard_error, e.status, e.log_likelihood, list(e.findings)]
    return found


@case
def pseudo_truths():
    return [
        mk.pseudo_true(counts(), {"a": 0.5, "b": 0.7}, random_seed=1),
        mk.pseudo_true(coins(), mk.distribution("Bernoulli", 0.3), random_seed=1),
    ]


@case
def laplaces():
    found = {}
    for build in (regression, coins, counts):
        a = mk.laplace(build(), draws=200, random_seed=1)
        found[build.__name__] = [a.tree, a.log_normalizer(), a.importance_sampled(300, 1), a.pareto_k(300, 1)]
        found[build.__name__] += [a.kl_to_posterior(a.importance_sampled(300, 1), 300, 1), a.summary()]
    return found


@case
def evidences():
    return {method: mk.log_evidence(coins(), exact(), method=method, random_seed=1) for method in ("bridge", "laplace")}


@case
def information():
    return mk.information_gain(coins(), exact(), reverse=True, random_seed=1)


@case
def fitted():
    truth = {"p": 0.6}
    return [
        mk.fitted_divergence(coins(), truth, idata=exact(), random_seed=1),
        mk.fitted_divergence(coins(), None, idata=exact(), random_seed=1),
        mk.without_truth(coins(), exact(), replicates=50, random_seed=1),
    ]


@case
def draws_of_groups():
    """What a tree says of the model of the approved pages."""
    model, tree = grouped(), loaded().tree
    given = {"random_seed": 1}
    evidence = mk.log_evidence(model, tree, **given)
    return {
        "evidence": evidence,
        "gain": mk.information_gain(model, tree, log_evidence=evidence, var_names=["b", "theta"], **given),
        "groups": mk.information_gain(model, tree, groups={"both": ["mu", "sigma"]}, var_names=["ratio"], **given),
        "laplace": mk.laplace(model, **given, draws=50).kl_from_posterior(tree, evidence),
        "fitted": mk.fitted_divergence(model, approved_pages.TRUTH, idata=tree, **given),
        "estimators": mk.fitted_divergence(
            model, approved_pages.TRUTH, idata=tree, estimators=["map", "posterior_predictive"], **given
        ),
        "without": mk.without_truth(model, tree, replicates=40, **given),
        "checks": diagnose(tree),
        "left out": leave_one_out(tree, "y", most=10),
    }


@case
def comparison():
    c = loaded()
    verdict = c.verdict()
    return {
        "summary": c.summary(),
        "divergences": c.divergences(),
        "verdict": [verdict.level, [[f.level, f.topic] for f in verdict.findings]],
        "diagnose": [[f.level, f.topic, f.text] for f in diagnose(c.tree).findings],
        "models": mk.compare_models({"one": c, "two": c}, random_seed=1).summary(),
    }


@case
def studies():
    settings = {"sizes": [8, 20], "replicates": 30, "random_seed": 1}
    many = ["mle", "map", "map_unconstrained", "laplace"]
    return {
        "coins": mk.study(coins(), {"p": 0.6}, estimators=many, intervals=["profile"], **settings),
        "bootstrap": mk.study(coins(), {"p": 0.6}, intervals=["case_bootstrap"], resamples=40, **settings),
        "misspecified": mk.study(counts(), {"a": 0.5, "b": 0.7}, sizes=[12, 24], replicates=20, random_seed=2),
    }


@case
def calibrations():
    return mk.calibrate(coins(), methods=["laplace", "mle"], simulations=40, random_seed=1).summary()


@case
def proofs():
    return mk.proof(coins(), {"p": 0.6}, sizes=[10, 20, 40], replicates=30, random_seed=1, progress=False).summary()


if __name__ == "__main__":
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in sys.argv[1:] or CASES:
        known[name] = plain(CASES[name]())
    FILE.write_text(json.dumps({n: known[n] for n in CASES if n in known}, indent=0, allow_nan=False) + "\n")
