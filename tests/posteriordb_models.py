"""PyMC models of reference posteriors that lie beside the repository, with their reference draws."""

import json

import numpy as np
import pymc as pm
import xarray as xr
from shared import shared_path


def reference(name):
    """Data, reference numbers and the tree of reference draws (10 chains of 100) of one posterior."""
    folder = shared_path("posteriordb") / name
    data, numbers = (json.loads((folder / f).read_text()) for f in ("data.json", "reference.json"))
    with np.load(folder / "draws.npz") as file:
        names = [str(n) for n in file["names"]]
        columns = dict(zip(names, file["draws"].T.reshape(len(names), 10, -1), strict=True))
    return data, numbers, columns


def tree_of(name, columns):
    """The draws under the names of the PyMC model."""

    def vector(prefix):
        return np.stack([v for k, v in columns.items() if k.startswith(f"{prefix}[")], axis=-1)

    arrays = {k: v for k, v in columns.items() if "[" not in k}
    arrays |= {prefix: vector(prefix) for prefix in {k.split("[")[0] for k in columns if "[" in k}}
    if name == "eight_schools_noncentered":
        arrays["theta_trans"] = (arrays.pop("theta") - arrays["mu"][..., None]) / arrays["tau"][..., None]
    if name == "wells_dist100":
        arrays["beta"] = arrays["beta"][..., 0]
    dataset = {k: (("chain", "draw", *[f"{k}_dim_{i}" for i in range(v.ndim - 2)]), v) for k, v in arrays.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(dataset)})


def ark(d):
    y = np.array(d["y"])
    lags = np.stack([y[5 - k : len(y) - k] for k in range(1, 6)], axis=1)
    alpha, beta = pm.Normal("alpha", 0, 10), pm.Normal("beta", 0, 10, shape=5)
    pm.Normal("y", alpha + lags @ beta, pm.HalfCauchy("sigma", 2.5), observed=y[5:])


def eight_schools_centered(d):
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    pm.Normal("y", pm.Normal("theta", mu, tau, shape=8), np.array(d["sigma"]), observed=d["y"])


def eight_schools_noncentered(d):
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    pm.Normal("y", mu + tau * pm.Normal("theta_trans", 0, 1, shape=8), np.array(d["sigma"]), observed=d["y"])


def glm_poisson(d):
    year = np.array(d["year"])
    eta = pm.Uniform("alpha", -20, 20)
    for k in (1, 2, 3):
        eta = eta + pm.Uniform(f"beta{k}", -10, 10) * year**k
    pm.Poisson("C", pm.math.exp(eta), observed=d["C"])


def gp_regr(d):
    x = np.array(d["x"])
    rho, alpha, sigma = pm.Gamma("rho", 25, 4), pm.HalfNormal("alpha", 2), pm.HalfNormal("sigma", 1)
    square = (x[:, None] - x) ** 2
    covariance = alpha**2 * pm.math.exp(-square / (2 * rho**2)) + sigma * np.eye(len(x))
    pm.MvNormal("y", np.zeros(len(x)), cov=covariance, observed=d["y"])


def _regression(x, y, sigma):
    pm.Normal("y", np.stack(x, axis=1) @ pm.Flat("beta", shape=len(x)), sigma, observed=y)


def kidscore_interaction(d):
    hs, iq = np.array(d["mom_hs"]), np.array(d["mom_iq"])
    _regression([np.ones(len(hs)), hs, iq, hs * iq], d["kid_score"], pm.HalfCauchy("sigma", 2.5))


def logearn_interaction(d):
    height, male = np.array(d["height"]), np.array(d["male"])
    x = [np.ones(len(male)), height, male, height * male]
    _regression(x, np.log(d["earn"]), pm.HalfFlat("sigma"))


def logmesquite_logvas(d):
    a = {k: np.array(v, dtype=float) for k, v in d.items()}
    area, shape = a["diam1"] * a["diam2"], a["diam1"] / a["diam2"]
    factors = (area * a["canopy_height"], area, shape, a["total_height"], a["density"])
    x = [np.ones(len(area)), *map(np.log, factors), a["group"]]
    _regression(x, np.log(a["weight"]), pm.HalfFlat("sigma"))


def low_dim_gauss_mix(d):
    ordered = pm.distributions.transforms.ordered
    mu = pm.Normal("mu", 0, 2, shape=2, transform=ordered, initval=np.array([-1.0, 1.0]))
    sigma, theta = pm.HalfNormal("sigma", 2, shape=2), pm.Beta("theta", 5, 5)
    pm.NormalMixture("y", w=pm.math.stack([theta, 1 - theta]), mu=mu, sigma=sigma, observed=d["y"])


def nes1996(d):
    a = {k: np.array(v, dtype=float) for k, v in d.items()}
    ages = [(a["age_discrete"] == k).astype(float) for k in (2, 3, 4)]
    x = [np.ones(len(ages[0])), a["real_ideo"], a["race_adj"], *ages, a["educ1"], a["gender"], a["income"]]
    _regression(x, a["partyid7"], pm.HalfFlat("sigma"))


def wells_dist100(d):
    eta = pm.Flat("alpha") + pm.Flat("beta") * np.array(d["dist"]) / 100
    pm.Bernoulli("y", logit_p=eta, observed=d["switched"])


BUILDERS = (
    ark,
    eight_schools_centered,
    eight_schools_noncentered,
    glm_poisson,
    gp_regr,
    kidscore_interaction,
    logearn_interaction,
    logmesquite_logvas,
    low_dim_gauss_mix,
    nes1996,
    wells_dist100,
)
MODELS = {("arK" if b is ark else b.__name__): b for b in BUILDERS}


def model_and_draws(name):
    """The PyMC model, a tree of its reference draws, and the reference numbers."""
    data, numbers, columns = reference(name)
    with pm.Model() as model:
        MODELS[name](data)
    return model, tree_of(name, columns), numbers


# Log of what the prior density of a Stan model integrates to, where that is not 1: two independent normal means that are
# declared ordered lie in one of 2! orders. The references' evidence is over this density, the suite's over the normalised one.
LOG_PRIOR_MASS = {"low_dim_gauss_mix": -np.log(2.0)}
