"""Models whose estimate does not exist, is not unique or lies at an edge, each with the place where somebody met it.

Each entry: what is asked ("mle", "map" or "map_unconstrained"), the verdict, the source, and the model.
"""

from functools import cache

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import stats

RNG = np.random.default_rng(20)
X = np.round(RNG.normal(size=30), 2)
Y = np.round(1.0 + 0.5 * X + RNG.normal(size=30), 2)
GROUP = np.repeat(np.arange(6), 5)

CASES = {}


def case(asked, verdict, source):
    """Register a model builder; its body is the inside of a ``pm.Model``."""

    def register(build):
        CASES[build.__name__] = (asked, verdict, source, build)
        return build

    return register


@case("mle", "at_infinity", "bambinos/bambi#320: perfect separation breaks the default priors")
def perfect_separation_by_group():
    b = pm.Normal("b", 0, 5, shape=2)
    g = np.repeat([0, 1], 5)
    pm.Bernoulli("y", logit_p=b[0] + b[1] * g, observed=g)


@case("mle", "at_infinity", "lme4/lme4#124: one row with a dummy of its own")
def quasi_separation_by_one_row():
    b = pm.Normal("b", 0, 5, shape=2)
    dummy = np.zeros(30)
    dummy[-1] = 1
    y = np.tile([0, 1, 1], 10)
    pm.Bernoulli("y", logit_p=b[0] + b[1] * dummy, observed=y)


@case("mle", "at_infinity", "glmmTMB/glmmTMB#379: years with no encounters")
def poisson_group_without_counts():
    b = pm.Normal("b", 0, 3, shape=3)
    year = np.repeat([0, 1, 2], 5)
    y = np.array([3, 2, 4, 1, 2, 0, 0, 0, 0, 0, 5, 4, 6, 3, 5])
    pm.Poisson("y", pm.math.exp(b[year]), observed=y)


@case("mle", "at_infinity", "daviddalpiaz/appliedstats#145: complete separation in probit as in logit")
def probit_separation():
    b = pm.Normal("b", 0, 3, shape=2)
    pm.Bernoulli("y", p=pm.math.invprobit(b[0] + b[1] * X), observed=(X > 0).astype(int))


@case("mle", "at_infinity", "statsmodels/statsmodels#1631: underdispersed counts in a negative binomial")
def underdispersed_negative_binomial():
    mu = pm.Gamma("mu", 2, 0.5)
    alpha = pm.Gamma("alpha", 2, 0.1)
    pm.NegativeBinomial("y", mu=mu, alpha=alpha, observed=[3, 4, 3, 4, 4, 3, 5, 4, 3, 4])


@case("mle", "at_infinity", "satijalab/sctransform#53: theta of 1e15 for counts that are no more than Poisson")
def poisson_like_negative_binomial():
    mu = pm.Gamma("mu", 2, 0.5)
    alpha = pm.Gamma("alpha", 2, 0.1)
    pm.NegativeBinomial("y", mu=mu, alpha=alpha, observed=[1, 2, 2, 1, 3, 2, 2, 1, 2, 3])


@case("mle", "at_infinity", "light-tailed data in a Student-t: Fernandez & Steel 1999, Biometrika 86")
def student_without_tails():
    mu, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5)
    nu = pm.Gamma("nu", 2, 0.1)
    pm.StudentT("y", nu=nu, mu=mu, sigma=sigma, observed=np.linspace(-1, 1, 21))


@case(
    "mle", "converged", "Rotnitzky et al. (2000), Bernoulli 6: the information of a skew normal is singular at symmetry"
)
def skew_normal_of_symmetric_data():
    mu, sigma, alpha = pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 2), pm.Normal("alpha", 0, 2)
    pm.SkewNormal("y", mu=mu, sigma=sigma, alpha=alpha, observed=stats.norm.ppf((np.arange(40) + 0.5) / 40))


@case("mle", "at_infinity", "skew normal whose shape diverges: Azzalini & Capitanio 1999, JRSS B 61, section 5")
def skew_normal_without_a_left_tail():
    mu, sigma, alpha = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5), pm.Normal("alpha", 0, 3)
    y = np.abs(np.random.default_rng(2).normal(size=30))
    pm.SkewNormal("y", mu=mu, sigma=sigma, alpha=alpha, observed=y)


@case("mle", "boundary", "lme4/lme4#502: 'singular' fits are boundary fits; here a component with weight 0")
def zero_inflation_that_is_not_there():
    psi, mu = pm.Beta("psi", 2, 2), pm.Gamma("mu", 2, 0.5)
    pm.ZeroInflatedPoisson("y", psi=psi, mu=mu, observed=[3, 2, 4, 3, 5, 2, 3, 4, 1, 3])


@case("mle", "boundary", "corncob#3: only one kind of count is observed")
def all_successes():
    p = pm.Uniform("p", 0, 1)
    pm.Binomial("y", n=np.array([4, 6]), p=p, observed=[4, 6])


@case("mle", "boundary", "none and all of ten, in two of four groups (rule of three)")
def none_in_one_group_and_all_in_another():
    p = pm.Beta("p", 1, 1, shape=4)
    pm.Binomial("y", n=10, p=p, observed=[0, 10, 4, 7])


@case("mle", "at_infinity", "Skellam (1948): a beta-binomial for counts less dispersed than binomial ones")
def underdispersed_beta_binomial():
    a, b = pm.HalfNormal("a", 10), pm.HalfNormal("b", 10)
    pm.BetaBinomial("y", alpha=a, beta=b, n=10, observed=[4, 5, 5, 6, 5, 4, 6, 5, 5, 5])


@case(
    "mle",
    "at_infinity",
    "Mosimann (1962), Biometrika 49: a Dirichlet-multinomial for counts less dispersed than multinomial ones",
)
def underdispersed_dirichlet_multinomial():
    share, concentration = pm.Dirichlet("share", np.ones(3)), pm.Gamma("concentration", 2, 0.1)
    counts = np.array([[10, 9, 6], [11, 8, 6], [10, 8, 7], [9, 9, 7], [10, 9, 6]])
    pm.DirichletMultinomial("y", n=25, a=share * concentration, observed=counts)


@case("mle", "not_identified", "the scale of a latent variable: Greene (2018), Econometric Analysis, section 17.2")
def probit_with_a_latent_scale():
    b, scale = pm.Normal("b", 0, 2, shape=2), pm.HalfNormal("scale", 1)
    y = (np.random.default_rng(4).random(30) < stats.norm.cdf(0.3 + X)).astype(int)
    pm.Bernoulli("y", p=pm.math.invprobit((b[0] + b[1] * X) / scale), observed=y)


@case("mle", "not_identified", "two observations from a Cauchy: Copas (1975), Biometrika 62, has a circle of maxima")
def cauchy_of_two():
    pm.Cauchy("y", pm.Normal("mu", 0, 2), pm.HalfNormal("scale", 2), observed=[-1.0, 1.0])


@case("mle", "at_infinity", "Kosmidis (2014), JRSS B 76: an ordinal response that a covariate separates")
def separated_ordinal_response():
    ordered = pm.distributions.transforms.ordered
    cut = pm.Normal("cut", 0, 3, shape=2, transform=ordered, initval=[-1.0, 1.0])
    x = np.concatenate([np.linspace(-1, -0.015, 5), np.linspace(0.015, 1, 5), np.linspace(1.03, 2, 5)])
    pm.OrderedLogistic("y", eta=pm.Normal("b", 0, 3) * x, cutpoints=cut, observed=np.repeat([0, 1, 2], 5))


@case(
    "mle",
    "not_identified",
    "a rate of a group without exposure is not in the likelihood, though its logarithm overflows",
)
def group_without_exposure():
    b, group = pm.Normal("b", 0, 2, shape=2), np.repeat([0, 1], 4)
    pm.Poisson("y", np.repeat([2.0, 0.0], 4) * pt.exp(b[group]), observed=[3, 1, 2, 2, 0, 0, 0, 0])


@case(
    "mle",
    "boundary",
    "counts that are all zero have no mean and no dispersion: Hilbe (2011), Negative Binomial Regression",
)
def negative_binomial_of_zeros():
    mu, alpha = pm.Gamma("mu", 2, 1), pm.Gamma("alpha", 2, 1)
    pm.NegativeBinomial("y", mu=mu, alpha=alpha, observed=np.zeros(8, dtype=int))


@case("mle", "boundary", "McCullagh (1980), JRSS B 42: an ordinal category that nobody chose")
def empty_middle_category():
    ordered = pm.distributions.transforms.ordered
    cut = pm.Normal("cut", 0, 5, shape=3, transform=ordered, initval=[-1.0, 0.0, 1.0])
    pm.OrderedLogistic("y", eta=0.0, cutpoints=cut, observed=np.repeat([0, 1, 3], [8, 7, 5]))


@case(
    "mle", "not_identified", "the median of an even number of observations is any number between the two in the middle"
)
def median_of_four():
    pm.Laplace("y", pm.Normal("mu", 0, 5), pm.HalfNormal("b", 3), observed=[1.0, 2.0, 3.0, 7.0])


@case(
    "mle",
    "at_infinity",
    "del Castillo (1994), AISM 46: a truncated normal for data with a coefficient of variation above 1",
)
def truncated_normal_of_skewed_data():
    y = stats.gamma(0.6).ppf((np.arange(40) + 0.5) / 40)
    pm.TruncatedNormal("y", mu=pm.Normal("mu", 0, 5), sigma=pm.HalfNormal("s", 5), lower=0, observed=y)


@case("mle", "converged", "Laplace (1774): the median is where the likelihood has its kink")
def least_absolute_deviations():
    b, s = pm.Normal("b", 0, 3, shape=2), pm.HalfNormal("s", 3)
    pm.Laplace("y", b[0] + b[1] * X, s, observed=Y)


@case(
    "mle", "converged", "Muggeo (2003), Statistics in Medicine 22: a knot's likelihood has a kink at every observation"
)
def knot():
    generator = np.random.default_rng(1046)
    x = np.sort(generator.uniform(0, 10, 80))
    y = 1 + 0.3 * x + 1.5 * np.maximum(x - 4.2, 0) + 0.4 * generator.normal(size=80)
    b, place = pm.Normal("b", 0, 5, shape=3), pm.Uniform("knot", 0, 10)
    pm.Normal("y", b[0] + b[1] * x + b[2] * pt.maximum(x - place, 0), pm.HalfNormal("s", 2), observed=y)


@case("mle", "boundary", "the limits of a uniform distribution are its smallest and its largest observation")
def uniform_between_two_limits():
    low, width = pm.Normal("low", 0, 5), pm.HalfNormal("width", 10)
    pm.Uniform("y", low, low + width, observed=Y)


@case("mle", "failed", "coal-mining disasters: the likelihood of a switch point is a step function")
def switch_point():
    c, rates = pm.Uniform("c", 0, 29), pm.Exponential("rates", 0.2, shape=2)
    pm.Poisson("y", pm.math.switch(np.arange(30) < c, rates[0], rates[1]), observed=np.repeat([2, 3, 7, 9, 8], 6))


@case("mle", "boundary", "statsmodels/statsmodels#1631 and its like: an empty cell of a table")
def empty_category():
    p = pm.Dirichlet("p", np.ones(4))
    pm.Categorical("y", p, observed=[0, 1, 1, 3, 0, 3, 1])


@case("mle", "boundary", "the sample's edge as estimate: Casella & Berger, example 7.2.9 (uniform)")
def uniform_upper_limit():
    theta = pm.HalfNormal("theta", 10)
    pm.Uniform("y", 0, theta, observed=[0.3, 1.2, 2.2, 0.9])


@case("mle", "boundary", "constraints met at the optimum: a slope kept positive by its prior")
def positive_slope_on_falling_data():
    a, b = pm.Normal("a", 0, 5), pm.HalfNormal("b", 5)
    pm.Normal("y", a - 0.5 * X + b * X, 1.0, observed=Y - 1.5 * X)


@case("map", "boundary", "pymc-devs/pymc#334: Gamma(1, 1) has its mode at 0")
def exponential_prior_on_small_data():
    rate = pm.Gamma("rate", 1, 1)
    pm.Poisson("y", rate, observed=[0, 0, 0])


@case("map", "unbounded", "pymc-devs/pymc#2618: Beta(0.2, 0.00002) outside its support")
def beta_with_a_pole():
    p = pm.Beta("p", 0.2, 0.2)
    pm.Binomial("y", n=3, p=p, observed=3)


@case("map", "unbounded", "pymc-devs/pymc#6138: find_MAP of the centred radon model gives infinite logp")
def centred_intercepts():
    mu, tau = pm.Normal("mu", 0, 10), pm.HalfNormal("tau", 10)
    sigma = pm.HalfNormal("sigma", 10)
    a = pm.Normal("a", mu, tau, shape=6)
    pm.Normal("y", a[GROUP] + 0.3 * X, sigma, observed=Y)


@case("map_unconstrained", "unbounded", "pymc-devs/pymc#6138, on the scale on which find_MAP works")
def centred_intercepts_unconstrained():
    centred_intercepts()


@case("map", "unbounded", "paul-buerkner/brms: centred varying slopes; lnccbrown/HSSM#1192 refuses such models")
def centred_slopes():
    mu, tau = pm.Normal("mu", 0, 2), pm.HalfCauchy("tau", 1)
    b = pm.Normal("b", mu, tau, shape=6)
    pm.Bernoulli("y", logit_p=b[GROUP] * X, observed=(Y > 1).astype(int))


@case("mle", "unbounded", "one observation and a free scale: any text")
def one_observation():
    pm.Normal("y", pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5), observed=[1.5])


@case("mle", "unbounded", "as many coefficients as rows and a free scale")
def saturated_regression():
    b = pm.Normal("b", 0, 5, shape=4)
    design = np.array([[1, 0.2, 0.1, 1], [1, -0.4, 0.3, 0], [1, 0.7, -0.9, 1], [1, 1.1, 0.4, 0]])
    pm.Normal("y", design @ b, pm.HalfNormal("sigma", 2), observed=[0.3, -1.0, 0.4, 2.0])


@case("mle", "unbounded", "equal observations: the scale of a normal tends to 0")
def constant_data():
    pm.Normal("y", pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5), observed=[2.0, 2.0, 2.0, 2.0])


@case(
    "mle",
    "unbounded",
    "Anderson (2003), section 3.2: a sample covariance without full rank has no maximum",
)
def proportional_columns_with_lkj():
    chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=pm.HalfNormal.dist(2, size=2))
    pm.MvNormal("y", pm.Normal("mu", 0, 5, shape=2), chol=chol, observed=np.c_[X, 2 * X + 1])


def weibull_with_threshold(value, a, b, threshold):
    x = value - threshold
    return pt.switch(x > 0, pt.log(a / b) + (a - 1) * pt.log(x / b) - (x / b) ** a, -np.inf)


@case("mle", "unbounded", "Smith (1985), Biometrika 72: a Weibull threshold at the smallest observation")
def weibull_threshold():
    a, b = pm.HalfNormal("a", 5, shape=2)
    y = 3 + 2 * np.random.default_rng(1).weibull(1.6, 20)
    pm.CustomDist("y", a, b, pm.Normal("threshold", 0, 5), logp=weibull_with_threshold, observed=y)


@case(
    "mle",
    "at_infinity",
    "Cheng and Iles (1990), JRSS B 52: Gumbel's distribution of minima is embedded in the Weibull family",
)
def weibull_that_becomes_gumbel():
    a, b = pm.HalfNormal("a", 2), pm.HalfNormal("b", 10)
    y = -np.random.default_rng(3).gumbel(size=60)
    pm.CustomDist("y", a, b, pm.Normal("threshold", 0, 10), logp=weibull_with_threshold, observed=y)


def pareto_with_an_end(value, scale, shape):
    z = 1 + shape * value / scale
    return pt.switch(z > 0, -pt.log(scale) - (1 / shape + 1) * pt.log(pt.maximum(z, 1e-300)), -np.inf)


@case("mle", "unbounded", "Grimshaw (1993), Technometrics 35: a generalised Pareto distribution with shape below -1")
def generalised_pareto_of_uniform_data():
    scale, shape = pm.HalfNormal("scale", 5), pm.Normal("shape", 0.1, 0.3)
    pm.CustomDist("y", scale, shape, logp=pareto_with_an_end, observed=(np.arange(30) + 0.7) / 31)


def lognormal_with_threshold(value, mu, sigma, threshold):
    x = value - threshold
    density = -0.5 * ((pt.log(x) - mu) / sigma) ** 2 - pt.log(sigma * x * np.sqrt(2 * np.pi))
    return pt.switch(x > 0, density, -np.inf)


def shifted_lognormal(y):
    mu, sigma, threshold = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5), pm.Normal("threshold", 0, 5)
    pm.CustomDist("y", mu, sigma, threshold, logp=lognormal_with_threshold, observed=y)


@case("mle", "unbounded", "Hill (1963), Journal of the American Statistical Association 58: a lognormal threshold")
def lognormal_threshold():
    shifted_lognormal(3 + np.random.default_rng(3).lognormal(0.3, 0.7, 10))


@case(
    "mle", "at_infinity", "Cheng and Traylor (1995), JRSS B 57: a lognormal threshold that runs off to the normal limit"
)
def lognormal_that_becomes_normal():
    shifted_lognormal(10 - np.exp(0.3 + 0.4 * stats.norm.ppf((np.arange(30) + 0.5) / 30)))


@case(
    "mle",
    "unbounded",
    "Equal smallest rainfalls: mu - sigma / xi tends to them as the shape grows like the logarithm of the distance",
)
def extreme_values_with_a_tied_minimum():
    mu, sigma, xi = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), pm.Normal("xi", 0, 1)

    def log_density(value, mu, sigma, xi):
        t = 1 + xi * (value - mu) / sigma
        inside = pt.gt(t, 0)
        t = pt.switch(inside, t, 1.0)
        return pt.switch(inside, -pt.log(sigma) - (1 + 1 / xi) * pt.log(t) - t ** (-1 / xi), -np.inf)

    rainfall = [
        1.83,
        1.69,
        3.24,
        1.99,
        1.69,
        1.79,
        2.78,
        1.70,
        4.85,
        2.35,
        3.37,
        1.72,
        3.96,
        2.35,
        2.29,
        3.33,
        3.97,
        3.53,
        3.11,
        1.69,
    ]
    pm.CustomDist("y", mu, sigma, xi, logp=log_density, observed=rainfall)


@case("mle", "unbounded", "paul-buerkner/brms#1333 and Day 1969, Biometrika 56: mixtures with free scales")
def mixture_with_free_scales():
    mu, sigma = pm.Normal("mu", 0, 5, shape=2), pm.HalfNormal("sigma", 3, shape=2)
    y = [-1.2, -0.8, -1.1, 1.9, 2.2, 2.4, 0.1]
    pm.NormalMixture("y", w=[0.5, 0.5], mu=mu, sigma=sigma, observed=y)


@case("mle", "converged", "Kiefer and Wolfowitz (1956); Day (1969): a local maximum beside a likelihood without bound")
def ordered_mixture_far_from_its_collapse():
    generator = np.random.default_rng(4)
    y = np.r_[generator.normal(-2, 1, 60), generator.normal(2, 0.7, 90)]
    w, s = pm.Dirichlet("w", np.ones(2)), pm.HalfNormal("s", 2, shape=2)
    ordered = pm.distributions.transforms.ordered
    mu = pm.Normal("mu", 0, 3, shape=2, transform=ordered, initval=[-1, 1])
    pm.NormalMixture("y", w, mu, s, observed=y)


@case("mle", "not_identified", "paul-buerkner/brms#136: an intercept and a dummy for every level")
def intercept_and_all_dummies():
    a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5, shape=6)
    pm.Normal("y", a + b[GROUP], 1.0, observed=Y)


@case("mle", "not_identified", "stan-ja, chapter 21: softmax with K free logits")
def softmax_without_reference():
    alpha = pm.Normal("alpha", 0, 2, shape=3)
    pm.Categorical("y", pm.math.softmax(alpha), observed=[0, 1, 2, 0, 0, 1, 2, 2, 1, 0])


@case("mle", "not_identified", "lnccbrown/HSSM#1192: without its prior a group-level scale is a flat ridge")
def noncentred_ridge():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2)
    e = pm.Normal("e", 0, 1, shape=6)
    pm.Normal("y", (mu + tau * e)[GROUP], 1.0, observed=Y)


@case("mle", "not_identified", "maxwshen/iap-appbml#4: mu_a and mu_b enter by their sum")
def sum_of_means():
    a, b = pm.Normal("mu_a", 0, 10), pm.Normal("mu_b", 0, 10)
    pm.Normal("y", a + b, pm.HalfNormal("sigma", 2), observed=Y)


@case("mle", "not_identified", "two scales that enter by their product")
def product_of_scales():
    s, t = pm.HalfNormal("s", 2), pm.HalfNormal("t", 2)
    pm.Normal("y", 0.0, s * t, observed=Y)


@case("mle", "not_identified", "errors in variables without a known variance: Reiersol 1950, Econometrica 18")
def two_variances_that_add_up():
    s, t = pm.HalfNormal("s", 2), pm.HalfNormal("t", 2)
    pm.Normal("y", 0.0, pm.math.sqrt(s**2 + t**2), observed=Y)


@case("mle", "not_identified", "item response theory: abilities and difficulties shift together (stan-ja, chapter 21)")
def rasch_without_anchor():
    ability, difficulty = pm.Normal("ability", 0, 1, shape=4), pm.Normal("difficulty", 0, 1, shape=3)
    y = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]])
    pm.Bernoulli("y", logit_p=ability[:, None] - difficulty[None, :], observed=y)


@case("mle", "multimodal", "paul-buerkner/brms#1333: label switching without an order")
def unordered_mixture():
    mu = pm.Normal("mu", 0, 5, shape=2)
    pm.NormalMixture("y", w=[0.5, 0.5], mu=mu, sigma=0.5, observed=[-1.2, -0.8, -1.1, 1.9, 2.2, 2.4])


@case("map", "multimodal", "sign of a loading: factor models, Anderson & Rubin 1956")
def sign_of_a_product():
    a, b = pm.Normal("a", 0, 1), pm.Normal("b", 0, 1)
    pm.Normal("y", a * b, 0.5, observed=[1.8, 2.2, 2.0])


@case("mle", "multimodal", "b enters by its square alone")
def squared_coefficient():
    b = pm.Normal("b", 0, 2)
    pm.Normal("y", b**2, 1.0, observed=[3.5, 4.2, 4.6])


@case("mle", "boundary", "pymc-devs/pymc2#114: a beta-binomial on its way to a single point")
def beta_binomial_of_zeros():
    a, b = pm.Gamma("a", 2, 1), pm.Gamma("b", 2, 1)
    pm.BetaBinomial("y", alpha=a, beta=b, n=10, observed=np.zeros(8, dtype=int))


@case("mle", "boundary", "zeileis/distributions3#97: a Poisson truncated at zero, of which only ones are seen")
def hurdle_poisson_of_ones():
    psi, mu = pm.Beta("psi", 2, 2), pm.Gamma("mu", 2, 1)
    pm.HurdlePoisson("y", psi=psi, mu=mu, observed=np.repeat([0, 1], [8, 12]))


@case(
    "mle", "boundary", "zeileis/distributions3#97: the same of a negative binomial, whose dispersion then says nothing"
)
def hurdle_negative_binomial_of_ones():
    psi, mu, alpha = pm.Beta("psi", 2, 2), pm.Gamma("mu", 2, 1), pm.Exponential("alpha", 1)
    pm.HurdleNegativeBinomial("y", psi=psi, mu=mu, alpha=alpha, observed=np.repeat([0, 1], [8, 12]))


@case("mle", "boundary", "bambinos/bambi#997: an ex-Gaussian, here of data with the longer tail to the left")
def exgaussian_of_left_skewed_data():
    mu, sigma, nu = pm.Normal("mu", 0, 3), pm.HalfNormal("sigma", 2), pm.HalfNormal("nu", 2)
    y = -np.random.default_rng(22).gamma(2, 1, 40)
    pm.ExGaussian("y", mu=mu, sigma=sigma, nu=nu, observed=y)


@case(
    "mle",
    "multimodal",
    "an exponential from its smallest observation on, without noise, fits nearly as well as one with noise",
)
def exgaussian_of_few_data():
    mu, sigma, nu = pm.Normal("mu", 0, 3), pm.HalfNormal("sigma", 2), pm.HalfNormal("nu", 2)
    generator = np.random.default_rng(2)
    y = 0.2 * generator.normal(size=20) + generator.exponential(2.0, 20)
    pm.ExGaussian("y", mu=mu, sigma=sigma, nu=nu, observed=y)


@case("mle", "at_infinity", "glmmTMB/glmmTMB#967: a Conway-Maxwell-Poisson of underdispersed counts")
def conway_maxwell_poisson_of_equal_counts():
    rate, nu = pm.Gamma("lambda", 2, 0.5), pm.Gamma("nu", 2, 1)
    counts = np.arange(60.0)

    def logp(value, rate, nu):
        weights = counts * pt.log(rate) - nu * pt.gammaln(counts + 1)
        return value * pt.log(rate) - nu * pt.gammaln(value + 1) - pt.logsumexp(weights)

    pm.CustomDist("y", rate, nu, logp=logp, dtype="int64", observed=np.full(10, 3))


@case("mle", "failed", "openturns/openturns#89: a Clayton copula overflows where dependence is perfect")
def clayton_copula_that_overflows():
    theta = pm.HalfNormal("theta", 3)
    u = (np.arange(12) + 0.5) / 12

    def logp(value, theta):
        both = pt.log(value) + pt.log(u)
        return pt.log1p(theta) - (1 + theta) * both - (2 + 1 / theta) * pt.log(value**-theta + u**-theta - 1)

    pm.CustomDist("y", theta, logp=logp, observed=u)


@case(
    "mle", "unbounded", "Dutilleul (1999), J. Stat. Comput. Simul. 64: one observation of a matrix normal distribution"
)
def matrix_normal_of_one_observation():
    a, b = pm.HalfNormal("a", 2, shape=2), pm.HalfNormal("b", 2, shape=2)
    mu = pm.Normal("mu", 0, 2, shape=(2, 2))
    y = np.array([[1.0, 2.0], [0.5, -1.0]])
    pm.MatrixNormal("y", mu=mu, rowcov=pt.diag(a**2), colcov=pt.diag(b**2), observed=y)


@case("mle", "at_infinity", "Silvapulle (1981), JRSS B 43: doses of which but one has a partial response")
def quantal_response_without_slope():
    doses = np.array([-2.0, -1, 0, 1, 2])
    middle, slope = pm.Normal("middle", 0, 1), pm.HalfNormal("slope", 3)
    pm.Binomial("y", 10, logit_p=slope * (doses - middle), observed=[0, 0, 4, 10, 10])


@case("mle", "at_infinity", "the same by the dose that half of all respond to and Hill's exponent")
def quantal_response_by_its_half_dose():
    doses = np.array([1.0, 2, 4, 8, 16])
    half, exponent = pm.LogNormal("half", 1, 1), pm.HalfNormal("exponent", 3)
    pm.Binomial("y", 10, p=1 / (1 + (half / doses) ** exponent), observed=[0, 0, 4, 10, 10])


LOG_DOSES = np.repeat(np.log([0.1, 0.3, 1, 3, 10, 30]), 3)


@case(
    "mle", "at_infinity", "Ritz et al. (2015), PLoS ONE 10: four-parameter curves; here but one dose lies on the slope"
)
def dose_response_that_is_a_step():
    low, rise = pm.Normal("low", 0, 5), pm.HalfNormal("rise", 5)
    exponent, half, s = pm.HalfNormal("exponent", 3), pm.LogNormal("half", 0, 2), pm.HalfNormal("s", 1)
    y = np.where(LOG_DOSES < np.log(2), 0, 5) + 0.2 * np.random.default_rng(0).normal(size=18)
    pm.Normal("y", low + rise / (1 + pt.exp(-exponent * (LOG_DOSES - pt.log(half)))), s, observed=y)


@case("mle", "at_infinity", "the same curves, fitted to noise")
def dose_response_that_is_none():
    low, rise = pm.Normal("low", 0, 5), pm.HalfNormal("rise", 5)
    exponent, half, s = pm.HalfNormal("exponent", 3), pm.LogNormal("half", 0, 2), pm.HalfNormal("s", 1)
    y = 1 + 0.2 * np.random.default_rng(3).normal(size=18)
    pm.Normal("y", low + rise / (1 + (half / np.exp(LOG_DOSES)) ** exponent), s, observed=y)


@case("mle", "at_infinity", "Ratkowsky (1986), Can. J. Fish. Aquat. Sci. 43: von Bertalanffy growth without a plateau")
def growth_without_a_plateau():
    generator = np.random.default_rng(3)
    age = np.sort(generator.uniform(1, 6, 40))
    length = 3 + 4 * age + 0.05 * age**2 + generator.normal(0, 1, 40)
    most, rate, origin = pm.HalfNormal("most", 50), pm.HalfNormal("rate", 1), pm.Normal("origin", 0, 1)
    mean = most * (1 - pt.exp(-rate * (age - origin)))
    pm.Normal("y", mean, pm.HalfNormal("s", 2), observed=length)


@case(
    "mle",
    "boundary",
    "Genest (1987), Biometrika 74: Frank's family, whose textbook density has no digits at independence",
)
def frank_copula_of_negative_dependence():
    theta = pm.HalfNormal("theta", 3)
    normal = np.random.default_rng(3).multivariate_normal([0, 0], [[1, -0.5], [-0.5, 1]], size=60)
    u, v = stats.norm.cdf(normal).T

    def logp(value, theta):
        lost, first, second = (1 - pt.exp(-theta * x) for x in (1.0, value, v))
        return pt.log(theta * lost) - theta * (value + v) - 2 * pt.log(lost - first * second)

    pm.CustomDist("y", theta, logp=logp, observed=u)


@case(
    "mle",
    "boundary",
    "Diggle & Ribeiro (2007), Model-based Geostatistics: nugget and sill are one where the range is 0",
)
def gaussian_process_of_white_noise():
    x, y = np.linspace(0, 1, 16), np.tile([1.0, -1.0], 8)
    scale, length, noise = pm.HalfNormal("scale", 1), pm.HalfNormal("length", 0.3), pm.HalfNormal("noise", 1)
    cov = scale**2 * pt.exp(-0.5 * (x[:, None] - x) ** 2 / length**2) + noise**2 * pt.eye(16)
    pm.MvNormal("y", np.zeros(16), cov=cov, observed=y)


@cache
def build(name):
    """The model of one case."""
    with pm.Model() as model:
        CASES[name][3]()
    return model
