"""Models with published or exact log evidences, for the tests and for ``benchmarks/evidence.py``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from posteriordb_models import reference
from scipy import integrate, special, stats
from shared import shared_path

DATA = Path(__file__).parent / "data" / "evidence"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A model, its log evidence, and draws from its exact posterior where they are available.

    Parameters
    ----------
    model
        A PyMC model.
    log_evidence
        Exact or published, in nats.
    error
        Standard error of that number.
    draw
        Takes a Generator and a shape (chains, draws); None where a sampler is needed.
    """

    model: pm.Model
    log_evidence: float
    error: float = 0.0
    draw: Callable[[np.random.Generator, tuple[int, int]], xr.DataTree] | None = None


def tree_of(**variables):
    """A tree with a posterior of arrays (chain, draw, *shape)."""
    dataset = {k: (("chain", "draw", *[f"{k}_dim_{i}" for i in range(v.ndim - 2)]), v) for k, v in variables.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(dataset)})


def beta_binomial(prior: float = 1.0) -> Problem:
    """50 heads of 100 with a Beta(prior, prior) rate: the Bayes factor of 30 against 1 is 4.910 (PyMC's examples)."""
    with pm.Model() as model:
        rate = pm.Beta("rate", prior, prior)
        pm.Bernoulli("y", rate, observed=np.repeat([0, 1], 50))
    exact = special.betaln(50 + prior, 50 + prior) - special.betaln(prior, prior)

    def draw(generator, shape):
        return tree_of(rate=generator.beta(50 + prior, 50 + prior, size=shape))

    return Problem(model=model, log_evidence=float(exact), draw=draw)


def radiata_pine(column: str) -> Problem:
    """Strength of 42 specimens by one of two densities (Williams 1959); priors of Friel and Wyse (2012)."""
    table = pd.read_csv(DATA / "radiata_pine.csv")
    x, y = np.column_stack([np.ones(42), table[column] - table[column].mean()]), table["strength"].to_numpy()
    mean, precision, shape_0, rate_0 = np.array([3000.0, 185.0]), np.array([0.06, 6.0]), 3.0, 2 * 300.0**2
    with pm.Model() as model:
        tau = pm.Gamma("tau", shape_0, rate_0)
        b = pm.Normal("b", mean, tau=tau * precision)
        pm.Normal("y", x @ b, tau=tau, observed=y)
    # Normal and gamma are conjugate.
    posterior_precision = x.T @ x + np.diag(precision)
    location = np.linalg.solve(posterior_precision, x.T @ y + precision * mean)
    shape = shape_0 + len(y) / 2
    rate = rate_0 + (y @ y + mean @ (precision * mean) - location @ posterior_precision @ location) / 2
    exact = (
        -len(y) / 2 * np.log(2 * np.pi)
        + (np.sum(np.log(precision)) - np.linalg.slogdet(posterior_precision)[1]) / 2
        + (shape_0 * np.log(rate_0) - special.gammaln(shape_0))
        - (shape * np.log(rate) - special.gammaln(shape))
    )
    factor = np.linalg.cholesky(np.linalg.inv(posterior_precision))

    def draw(generator, size):
        tau = generator.gamma(shape, 1 / rate, size=size)
        return tree_of(tau=tau, b=location + generator.normal(size=(*size, 2)) @ factor.T / np.sqrt(tau)[..., None])

    return Problem(model=model, log_evidence=float(exact), draw=draw)


# Friel and Wyse (2012), long runs.
PIMA = {(1, 0.01): -257.2319, (2, 0.01): -259.8569, (1, 1.0): -247.3041, (2, 1.0): -247.5636}


def pima(number: int, precision: float) -> Problem:
    """Logistic regression of diabetes in 532 Pima women, without or with age (Friel and Wyse 2012)."""
    table = pd.read_csv(DATA / "pima.csv")
    columns = ["npreg", "glu", "bmi", "ped", "age"][: 3 + number]
    x = table[columns].to_numpy(dtype=float)
    x = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)])
    with pm.Model() as model:
        b = pm.Normal("b", 0, tau=precision, shape=x.shape[1])
        pm.Bernoulli("y", logit_p=x @ b, observed=table["diabetes"].to_numpy())
    return Problem(model=model, log_evidence=PIMA[number, precision], error=0.0007)


def turtles(clutches: bool) -> Problem:
    """Survival of turtles by weight, probit, without or with a random intercept for each clutch.

    Sinharay and Stern (2005): the Bayes factor of the former against the latter is 1.273. The evidence without clutches is a
    two-dimensional quadrature.
    """
    table = pd.read_csv(shared_path("data/turtles.csv"))
    y, x = table["y"].to_numpy(dtype=float), table["x"].to_numpy(dtype=float)
    group = np.unique(table["clutch"], return_inverse=True)[1]
    with pm.Model() as model:
        eta = pm.Normal("a0", 0, np.sqrt(10)) + pm.Normal("a1", 0, np.sqrt(10)) * x
        if clutches:
            # p(sigma^2) = (1 + sigma^2)^-2 is a Pareto law of 1 + sigma^2.
            variance = pm.Pareto("one_plus_variance", alpha=1, m=1) - 1
            eta = eta + pm.math.sqrt(variance) * pm.Normal("b", 0, 1, shape=int(group.max()) + 1)[group]
        pm.Bernoulli("y", p=pm.math.invprobit(eta), observed=y.astype(int))
    sign = 2 * y - 1
    prior = stats.norm(0, np.sqrt(10))
    # The trapezoidal rule; 100 cells a side give the same 14 digits.
    a0, a1 = np.meshgrid(np.linspace(-8, 2, 201), np.linspace(-0.5, 1.5, 201), indexing="ij")
    log_joint = prior.logpdf(a0) + prior.logpdf(a1)
    for xi, si in zip(x, sign, strict=True):
        log_joint = log_joint + special.log_ndtr(si * (a0 + a1 * xi))
    cell = np.log(10 / 200) + np.log(2 / 200)
    without = float(special.logsumexp(log_joint) + cell)
    return Problem(model=model, log_evidence=without - clutches * np.log(1.273), error=clutches * 0.0004)


GALAXIES = (
    "9172 9350 9483 9558 9775 10227 10406 16084 16170 18419 18552 18600 18927 19052 19070 19330 19343 19349 19440 19473 "
    "19529 19541 19547 19663 19846 19856 19863 19914 19918 19973 19989 20166 20175 20179 20196 20215 20221 20415 20629 20795 "
    "20821 20846 20875 20986 21137 21492 21701 21814 21921 21960 22185 22209 22242 22249 22314 22374 22495 22746 22747 22888 "
    "22914 23206 23241 23263 23484 23538 23542 23666 23706 23711 24129 24285 24289 24366 24717 24990 25633 26960 26995 32065 "
    "32789 34279"
)


def galaxy() -> Problem:
    """Velocities of 82 galaxies (Postman et al. 1986, the 78th as there) as three normals in order, with the priors of Chib (1995).

    Neal (1999) gives -226.803 with an error of about 0.04 for the model without an order, which has the same evidence.
    """
    y = np.array(GALAXIES.split(), dtype=float) / 1000
    with pm.Model() as model:
        weight = pm.Dirichlet("weight", np.ones(3))
        order = pm.distributions.transforms.ordered
        mu = pm.Normal("mu", 20, 10, shape=3, transform=order, initval=np.array([10.0, 20.0, 30.0]))
        variance = pm.InverseGamma("variance", 3, 20, shape=3)
        pm.NormalMixture("y", w=weight, mu=mu, sigma=pm.math.sqrt(variance), observed=y)
    return Problem(model=model, log_evidence=-226.803, error=0.04)


SLEEP = np.array(
    [[0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]]
)


def sleep_data(paired: bool, *, effect: bool = True) -> Problem:
    """Extra sleep after two drugs (Student 1908): the t tests of Rouder et al. (2009), whose Bayes factors are 17.259 and 1.266.

    The improper priors of the common mean and of log sigma are uniform on ranges far beyond what the data allow.
    """
    scale = np.sqrt(0.5)
    y = SLEEP[1] - SLEEP[0] if paired else SLEEP
    n, degrees = y.size, y.size - (1 if paired else 2)
    with pm.Model() as model:
        sigma = pm.math.exp(pm.Uniform("log_sigma", -5, 5))
        difference = pm.Cauchy("effect", 0, scale) * sigma if effect else 0.0
        if paired:
            pm.Normal("y", difference, sigma, observed=y)
            t, size = stats.ttest_1samp(y, 0).statistic, n
        else:
            mean = pm.Uniform("mean", -50, 50)
            pm.Normal("y", mean + difference * np.array([[-0.5], [0.5]]), sigma, observed=y)
            t, size = stats.ttest_ind(y[1], y[0]).statistic, n / 4
    # Without an effect: the integral over log sigma, and over the common mean, is a gamma function.
    square, half = (y @ y, n / 2) if paired else (np.sum((y - y.mean()) ** 2), (n - 1) / 2)
    null = special.gammaln(half) - half * np.log(np.pi * square) - np.log(2) - np.log(10)
    null -= 0.0 if paired else 0.5 * np.log(n) + np.log(100)

    if not effect:
        return Problem(model=model, log_evidence=float(null))

    def integrand(x):
        return stats.nct.pdf(t, degrees, x * np.sqrt(size)) * stats.cauchy.pdf(x, 0, scale)

    with_effect = sum(integrate.quad(integrand, *ends)[0] for ends in ((-3, 0), (0, 2), (2, 10)))
    log_factor = np.log(with_effect) - stats.t.logpdf(t, degrees)
    return Problem(model=model, log_evidence=float(null + log_factor), error=1e-4)


def eight_schools() -> Problem:
    """The non-centred eight schools of posteriordb; scale by quadrature, the rest analytically."""
    data, numbers, _ = reference("eight_schools_noncentered")
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        pm.Normal("y", mu + tau * pm.Normal("theta", 0, 1, shape=8), np.array(data["sigma"]), observed=data["y"])
    return Problem(model=model, log_evidence=numbers["log_evidence"]["value"])


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "beta-binomial": beta_binomial,
    "radiata pine, density": lambda: radiata_pine("density"),
    "radiata pine, adjusted": lambda: radiata_pine("adjusted_density"),
    "Pima, 4 covariates, tau 0.01": lambda: pima(1, 0.01),
    "Pima, 5 covariates, tau 1": lambda: pima(2, 1.0),
    "turtles with clutches": lambda: turtles(True),
    "Galaxy, 3 normals": galaxy,
    "sleep, paired": lambda: sleep_data(True),
    "sleep, independent": lambda: sleep_data(False),
    "eight schools": eight_schools,
}
