"""Small models on good data whose estimates exist and are regular: none may raise an alarm."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

RNG = np.random.default_rng(11)
N = 60
X = RNG.normal(size=(N, 3))
ONE = np.c_[np.ones(N), X]
B = np.array([0.5, 1.0, -0.7, 0.3])
ETA = ONE @ B
E = RNG.normal(size=N)
Y = ETA + 0.8 * E
POSITIVE = np.exp(0.4 * ETA + 0.5 * E)
COUNTS = RNG.poisson(np.exp(0.5 * ETA))
OVERDISPERSED = RNG.poisson(np.exp(0.5 * ETA) * RNG.gamma(1.5, 1 / 1.5, N))
BINARY = (RNG.random(N) < 1 / (1 + np.exp(-ETA))).astype(int)
SHARE = np.clip(1 / (1 + np.exp(-0.5 * ETA - 0.5 * E)), 0.01, 0.99)
GROUP = np.repeat(np.arange(5), 12)
LEVELS = np.digitize(ETA + RNG.logistic(size=N), [-1.0, 0.5, 2.0])
SERIES = np.zeros(120)
for t in range(2, 120):
    SERIES[t] = 0.5 * SERIES[t - 1] - 0.2 * SERIES[t - 2] + RNG.normal()
HEAVY = ETA + 0.5 * RNG.standard_t(3, N)
MIX = np.r_[RNG.normal(-3, 1, 30), RNG.normal(3, 1, 30)]
PAIRS = RNG.multivariate_normal([0, 1], [[1.0, 0.6], [0.6, 2.0]], 80)


def beta(scale=5.0, size=4):
    return pm.Normal("b", 0, scale, shape=size)


def sigma(name="sigma"):
    return pm.HalfNormal(name, 5)


def mv_normal_with_lkj():
    chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2.0, sd_dist=pm.HalfNormal.dist(3, size=2), compute_corr=True)
    pm.MvNormal("y", pm.Normal("mu", 0, 5, shape=2), chol=chol, observed=PAIRS)


def nearly_singular_covariance():
    first = PAIRS[:40, 0]
    chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=1.0, sd_dist=pm.HalfNormal.dist(3, size=2), compute_corr=True)
    y = np.c_[first, first + 4e-3 * PAIRS[40:, 1]]
    pm.MvNormal("y", pm.Normal("mu", 0, 5, shape=2), chol=chol, observed=y)


def autoregression():
    rho = pm.Normal("rho", 0, 0.5, shape=2)
    mean = rho[0] * SERIES[1:-1] + rho[1] * SERIES[:-2]
    pm.Normal("y", mean, sigma(), observed=SERIES[2:])


def fresh():
    """Random numbers that do not depend on which models were built before."""
    return np.random.default_rng(12)


def gaussian_process():
    x = np.linspace(0, 5, 25)[:, None]
    scale, length = pm.HalfNormal("scale", 2), pm.InverseGamma("length", 5, 5)
    process = pm.gp.Marginal(cov_func=scale**2 * pm.gp.cov.ExpQuad(1, length))
    process.marginal_likelihood("y", X=x, y=np.sin(x[:, 0]) + 0.3 * E[:25], sigma=pm.HalfNormal("noise", 1))


def vector_autoregression():
    matrix = pm.Normal("a", 0, 0.5, shape=(2, 2))
    lagged = np.c_[SERIES[1:-1], np.roll(SERIES, 7)[1:-1]]
    pm.Normal("y", pt.dot(lagged, matrix), pm.HalfNormal("s", 2, shape=2), observed=np.roll(lagged, -1, axis=0))


def local_level():
    """A random walk seen through noise, its states integrated out: a covariance matrix that parameters make up."""
    steps = np.cumsum(0.7 * E[:40]) + 0.5 * Y[20:60]
    time = np.arange(1, 41)
    walk, noise = pm.HalfNormal("walk", 1), pm.HalfNormal("noise", 1)
    cov = walk**2 * np.minimum(time[:, None], time) + (noise**2) * np.eye(40)
    pm.MvNormal("y", pm.Normal("level", 0, 2) * np.ones(40), cov=cov, observed=steps)


def hurdle():
    pm.HurdlePoisson("y", psi=pm.Beta("psi", 2, 2), mu=pm.Gamma("mu", 2, 1), observed=COUNTS)


def multinomial_logit():
    free = pm.Normal("b", 0, 3, shape=(4, 2))
    eta = pt.dot(ONE, pt.concatenate([pt.zeros((4, 1)), free], axis=1))
    pm.Categorical("y", logit_p=eta, observed=np.minimum(LEVELS, 2))


def censored_survival():
    time, end = POSITIVE * 2, 3.0
    scale = pt.exp(pt.dot(ONE, beta(2.0)))
    pm.Censored(
        "y", pm.Weibull.dist(pm.Gamma("shape", 2, 1), scale), lower=None, upper=end, observed=np.minimum(time, end)
    )


def michaelis_menten():
    dose = np.linspace(0.2, 8.0, N)
    top, half = pm.HalfNormal("top", 10), pm.HalfNormal("half", 5)
    pm.Normal("y", top * dose / (half + dose), sigma(), observed=5 * dose / (1.5 + dose) + 0.2 * E)


def growth():
    age = np.linspace(0, 10, N)
    top, rate, middle = pm.HalfNormal("top", 20), pm.HalfNormal("rate", 2), pm.Normal("middle", 5, 2)
    pm.Normal(
        "y", top * pm.math.sigmoid(rate * (age - middle)), sigma(), observed=10 / (1 + np.exp(4.5 - age)) + 0.3 * E
    )


def means_of_a_mixture():
    ordered = pm.distributions.transforms.ordered
    mu = pm.Normal("mu", 0, 5, shape=2, transform=ordered, initval=[-1.0, 1.0])
    pm.NormalMixture("y", w=pm.Dirichlet("w", np.ones(2)), mu=mu, sigma=pm.HalfNormal("sigma", 2), observed=MIX)


def zero_inflated():
    zeros = np.where(fresh().random(N) < 0.4, 0, COUNTS + 1)
    pm.ZeroInflatedPoisson("y", psi=pm.Beta("psi", 2, 2), mu=pt.exp(pt.dot(ONE, beta(1.0))), observed=zeros)


def dirichlet_multinomial():
    rng = fresh()
    counts = np.array([rng.multinomial(20, rng.dirichlet([2.0, 3.0, 4.0])) for _ in range(40)])
    pm.DirichletMultinomial("y", n=20, a=pm.Gamma("a", 2, 0.5, shape=3), observed=counts)


def errors_that_remember():
    """Regression with autocorrelated errors."""
    phi, b = pm.Uniform("phi", -1, 1), beta()
    rest = np.r_[E[0], E[1:] + 0.5 * E[:-1]] + ETA
    shift = pt.dot(ONE[1:] - phi * ONE[:-1], b)
    pm.Normal("y", phi * rest[:-1] + shift, sigma(), observed=rest[1:])


MODELS = {
    "normal": lambda: pm.Normal("y", pm.Normal("mu", 0, 5), sigma(), observed=Y),
    "normal, large units": lambda: pm.Normal("y", pm.Normal("mu", 0, 1e6), pm.HalfNormal("s", 1e6), observed=1e5 * Y),
    "normal, small units": lambda: pm.Normal("y", pm.Normal("mu", 0, 1), sigma(), observed=1e-4 * Y),
    "normal, far mean": lambda: pm.Normal("y", pm.Normal("mu", 0, 1e4), sigma(), observed=1e4 + Y),
    "normal, precision": lambda: pm.Normal("y", pm.Normal("mu", 0, 5), tau=pm.Gamma("tau", 2, 1), observed=Y),
    "normal, uniform scale": lambda: pm.Normal("y", pm.Normal("mu", 0, 5), pm.Uniform("s", 0, 20), observed=Y),
    "normal, flat prior": lambda: pm.Normal("y", pm.Flat("mu"), pm.HalfFlat("s"), observed=Y),
    "log-normal": lambda: pm.LogNormal("y", pm.Normal("mu", 0, 5), sigma(), observed=POSITIVE),
    "exponential": lambda: pm.Exponential("y", pm.Gamma("lam", 2, 1), observed=POSITIVE),
    "gamma": lambda: pm.Gamma("y", pm.Gamma("a", 2, 1), pm.Gamma("beta", 2, 1), observed=POSITIVE),
    "inverse gamma": lambda: pm.InverseGamma("y", pm.Gamma("a", 2, 1), pm.Gamma("beta", 2, 1), observed=POSITIVE),
    "weibull": lambda: pm.Weibull("y", pm.Gamma("a", 2, 1), pm.Gamma("beta", 2, 1), observed=POSITIVE),
    "beta": lambda: pm.Beta("y", pm.Gamma("a", 2, 1), pm.Gamma("beta", 2, 1), observed=SHARE),
    "laplace scale": lambda: pm.Laplace("y", 0.5, pm.HalfNormal("b", 5), observed=Y),
    "logistic location": lambda: pm.Logistic("y", pm.Normal("mu", 0, 5), sigma(), observed=Y),
    "gumbel": lambda: pm.Gumbel("y", pm.Normal("mu", 0, 5), sigma(), observed=Y),
    "cauchy": lambda: pm.Cauchy("y", pm.Normal("mu", 0, 5), sigma(), observed=HEAVY),
    "student, df given": lambda: pm.StudentT("y", nu=4, mu=pm.Normal("mu", 0, 5), sigma=sigma(), observed=HEAVY),
    "asymmetric laplace scale": lambda: pm.AsymmetricLaplace("y", kappa=1.2, mu=0.4, b=sigma("b"), observed=Y),
    "kumaraswamy": lambda: pm.Kumaraswamy("y", pm.Gamma("a", 2, 1), pm.Gamma("c", 2, 1), observed=SHARE),
    "half-normal": lambda: pm.HalfNormal("y", pm.HalfNormal("s", 3), observed=POSITIVE),
    "pareto shape": lambda: pm.Pareto("y", pm.Gamma("a", 2, 1), 0.05, observed=POSITIVE),
    "wald": lambda: pm.Wald("y", pm.Gamma("mu", 2, 1), pm.Gamma("lam", 2, 1), observed=POSITIVE),
    "bernoulli": lambda: pm.Bernoulli("y", pm.Beta("p", 2, 2), observed=BINARY),
    "binomial": lambda: pm.Binomial("y", 20, pm.Beta("p", 2, 2), observed=np.minimum(COUNTS, 20)),
    "poisson": lambda: pm.Poisson("y", pm.Gamma("mu", 2, 1), observed=COUNTS),
    "geometric": lambda: pm.Geometric("y", pm.Beta("p", 2, 2), observed=COUNTS + 1),
    "negative binomial": lambda: pm.NegativeBinomial(
        "y", mu=pm.Gamma("mu", 2, 1), alpha=pm.Gamma("alpha", 2, 1), observed=OVERDISPERSED
    ),
    "categorical": lambda: pm.Categorical("y", pm.Dirichlet("p", np.ones(4)), observed=LEVELS),
    "multinomial": lambda: pm.Multinomial("y", 30, pm.Dirichlet("p", np.ones(3)), observed=[12, 11, 7]),
    "two groups": lambda: pm.Normal("y", pm.Normal("mu", 0, 5, shape=5)[GROUP], sigma(), observed=Y),
    "group scales": lambda: pm.Normal("y", 0.5, pm.HalfNormal("s", 5, shape=5)[GROUP], observed=Y),
    "linear": lambda: pm.Normal("y", pt.dot(ONE, beta()), sigma(), observed=Y),
    "linear, columns in wild units": lambda: pm.Normal(
        "y", pt.dot(ONE * [1, 1e4, 1e-4, 1], beta(1e5)), sigma(), observed=Y
    ),
    "linear, nearly collinear": lambda: pm.Normal(
        "y", pt.dot(np.c_[ONE, X[:, 0] + 1e-3 * RNG.normal(size=N)], beta(1e4, 5)), sigma(), observed=Y
    ),
    "robust regression": lambda: pm.StudentT("y", nu=4, mu=pt.dot(ONE, beta()), sigma=sigma(), observed=HEAVY),
    "logit": lambda: pm.Bernoulli("y", logit_p=pt.dot(ONE, beta()), observed=BINARY),
    "probit": lambda: pm.Bernoulli("y", p=pm.math.invprobit(pt.dot(ONE, beta())), observed=BINARY),
    "poisson regression": lambda: pm.Poisson("y", pt.exp(pt.dot(ONE, beta(1.0))), observed=COUNTS),
    "negative binomial regression": lambda: pm.NegativeBinomial(
        "y", mu=pt.exp(pt.dot(ONE, beta(1.0))), alpha=pm.Gamma("alpha", 2, 1), observed=OVERDISPERSED
    ),
    "gamma regression": lambda: pm.Gamma(
        "y", mu=pt.exp(pt.dot(ONE, beta(1.0))), sigma=pm.HalfNormal("s", 3), observed=POSITIVE
    ),
    "ordered logit": lambda: pm.OrderedLogistic(
        "y",
        eta=pt.dot(X, beta(2.0, 3)),
        cutpoints=pm.Normal(
            "cut", 0, 5, shape=3, transform=pm.distributions.transforms.ordered, initval=[-1.0, 0.0, 1.0]
        ),
        observed=LEVELS,
    ),
    "censored": lambda: pm.Censored(
        "y", pm.Normal.dist(pm.Normal("mu", 0, 5), sigma()), lower=None, upper=1.5, observed=np.minimum(Y, 1.5)
    ),
    "truncated": lambda: pm.Truncated(
        "y", pm.Normal.dist(pm.Normal("mu", 0, 2), pm.HalfNormal("s", 2)), lower=-1.0, observed=Y[Y > -1.0]
    ),
    "weights of a mixture": lambda: pm.NormalMixture(
        "y", w=pm.Dirichlet("w", np.ones(2)), mu=[-3.0, 3.0], sigma=1.0, observed=MIX
    ),
    "offset": lambda: pm.Poisson("y", np.exp(0.5 * X[:, 0]) * pm.Gamma("rate", 2, 1), observed=COUNTS),
    "heteroscedastic": lambda: pm.Normal("y", pt.dot(ONE, beta()), pt.exp(pm.Normal("g", 0, 1) * X[:, 0]), observed=Y),
    "autoregression": autoregression,
    "mv normal with lkj": mv_normal_with_lkj,
    "nearly singular covariance": nearly_singular_covariance,
    "gaussian process": gaussian_process,
    "vector autoregression": vector_autoregression,
    "local level": local_level,
    "hurdle": hurdle,
    "multinomial logit": multinomial_logit,
    "censored survival": censored_survival,
    "michaelis-menten": michaelis_menten,
    "growth": growth,
    "means of a mixture": means_of_a_mixture,
    "zero-inflated regression": zero_inflated,
    "errors that remember": errors_that_remember,
    "dirichlet-multinomial": dirichlet_multinomial,
    "beta-binomial": lambda: pm.BetaBinomial(
        "y",
        n=30,
        alpha=pm.Gamma("a", 2, 0.5),
        beta=pm.Gamma("beta", 2, 0.5),
        observed=fresh().binomial(30, np.random.default_rng(13).beta(3, 5, N)),
    ),
    "von mises": lambda: pm.VonMises(
        "y", pm.Normal("mu", 0, 1), pm.HalfNormal("kappa", 5), observed=fresh().vonmises(0.5, 3.0, N)
    ),
    "ex-gaussian": lambda: pm.ExGaussian(
        "y",
        mu=pm.Normal("mu", 0, 5),
        sigma=sigma(),
        nu=pm.HalfNormal("nu", 5),
        observed=ETA[0] + E + fresh().exponential(2.0, N),
    ),
    "beta regression": lambda: pm.Beta(
        "y", mu=pm.math.sigmoid(pt.dot(ONE, beta(2.0))), nu=pm.Gamma("nu", 2, 0.1), observed=SHARE
    ),
    "skew normal": lambda: pm.SkewNormal(
        "y",
        mu=pm.Normal("mu", 0, 5),
        sigma=sigma(),
        alpha=pm.Normal("alpha", 0, 5),
        observed=np.abs(fresh().normal(size=400)) * 1.9 + 0.45 * np.random.default_rng(13).normal(size=400),
    ),
}


def build(name):
    """One of the models."""
    with pm.Model() as model:
        MODELS[name]()
    return model
