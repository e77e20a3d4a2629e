"""Is the model misspecified? The information matrix test of a fitted PyMC model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.estimation import asymptotics
from pp_mlekl.estimation.asymptotics import Information, SpecificationTest
from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.pseudo_true.expected_fit import expected_fit
from pp_mlekl.estimation.replicates.replicate_fits import fit_replicates
from pp_mlekl.estimation.replicates.simulator import Simulator
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.inputs.truth import truth_at
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.typing import Array, Potentials, RandomSeed
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import check_count, check_memory, counted
from pp_mlekl.utils.display import Display, Displayed
from pp_mlekl.utils.seeds import generator_of

if TYPE_CHECKING:
    import pymc as pm

# Step of the difference quotients of scores, in standard deviations of one observation, and their weights. The truncation
# error is of fourth order, 1e-12, as large as the rounding error.
_STEP = 1e-3
_OFFSETS, _WEIGHTS = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([1.0, -8.0, 8.0, -1.0]) / 12
# Elements of the scores kept in memory at once.
_CHUNK = 4_000_000
# Observations per tested element below which the chi-squared limit is unreliable.
_FEW = 50
# Below this p value the badge of a result says caution.
_SMALL_P = 0.05


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class InformationMatrixTest(Displayed):
    """Whether the two information matrices of a fit agree, as they do where the model is right.

    Parameters
    ----------
    statistic, degrees_of_freedom, p_value
        White's statistic and its tail probability under the chi-squared limit.
    p_value_bootstrap
        The share of data sets drawn from the fit whose statistic is as large, which holds in small samples as well; NaN
        where none were drawn.
    J, K
        Observed information and mean outer product of scores of one observation, natural scale, ``(parameter, parameter_)``.
    ratios
        Eigenvalues of J^-1 K, ascending: all near 1 in a right model.
    warnings
        What to know before the p value is used.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    p_value_bootstrap: float
    J: xr.DataArray
    K: xr.DataArray
    ratios: Array
    warnings: tuple[str, ...]

    def summary(self) -> pd.DataFrame:
        """One row: statistic, degrees of freedom, both p values."""
        numbers = (self.statistic, self.degrees_of_freedom, self.p_value, self.p_value_bootstrap)
        columns = ["statistic", "df", "p", "p_bootstrap"]
        return pd.DataFrame([numbers], columns=columns, index=pd.Index(["information matrix"], name="test"))

    def _display(self) -> Display:
        p = self.p_value if np.isnan(self.p_value_bootstrap) else self.p_value_bootstrap
        return Display(
            title="Information matrix test",
            badge=f"p = {p:.3g}",
            level="good" if p > _SMALL_P else "caution",
            lines=[f"eigenvalues of J^-1 K: {', '.join(f'{r:.3g}' for r in self.ratios)}"],
            warnings=self.warnings,
            table=self.summary().rename_axis(None),
            details={"J": self.J.to_pandas(), "K": self.K.to_pandas()},
        )


@checked_arguments
def information_matrix_test(
    model: "pm.Model",
    estimate: PointEstimate | None = None,
    *,
    replicates: int = 199,
    random_seed: RandomSeed = None,
    potentials: Potentials = None,
) -> InformationMatrixTest:
    """White's test of whether a model is misspecified, from what each observation contributes at the MLE.

    Where the model is right, minus the expected Hessian of the log density and the expected outer product of its score
    are equal. The test compares both on the data; it sees what is wrong with the spread, the tails and the symmetry, and
    is blind where the two agree in a wrong model (a Bernoulli, whose variance is given by its mean).

    Parameters
    ----------
    model
        A PyMC model whose log-likelihood has independent terms.
    estimate
        Its maximum likelihood estimate, if it is known; the test is of its data and with its weights.
    replicates
        Data sets to draw from the fit for a bootstrap p value. With 0, or where the estimate has weights, only the
        chi-squared limit is given, which rejects right models too often: a normal one fitted to 30 observations every
        second time.
    random_seed
        For the search and the data sets.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.

    Returns
    -------
    InformationMatrixTest

    Raises
    ------
    TypeError, ValueError
        Where the estimate is another model's, is no regular maximum of the likelihood, or there are too few observations.

    Examples
    --------
    Counts with more spread than a Poisson has:

    >>> import pymc as pm
    >>> y = np.random.default_rng(1).negative_binomial(2, 1 / 3, size=200)
    >>> with pm.Model() as model:
    ...     count = pm.Poisson("y", pm.Exponential("mu", 0.2), observed=y)
    >>> test = information_matrix_test(model, random_seed=1)
    >>> test.degrees_of_freedom, bool(test.p_value < 0.001), bool(test.ratios[0] > 2)
    (1, True, True)
    """
    check_count("replicates", replicates, at_least=0)
    functions = model_functions(model, potentials)
    check_memory(int(replicates) * functions.n_observations, f"{replicates} replicates")
    if len(functions.measured) < len(functions.observed):
        raise ValueError(
            "The test draws new data, and a pm.Potential that counts as likelihood cannot be drawn from; pass "
            "potentials='prior' where it belongs to the prior, or write it as an observed variable."
        )
    generator = generator_of(random_seed)
    best = find_mle(model, random_seed=generator, potentials=potentials) if estimate is None else estimate
    check_belongs(functions, best)
    if best.laplace_error is not None:
        raise ValueError(
            "The test needs independent terms of the log-likelihood, and a marginal likelihood is no sum over observations."
        )
    if best.kind != "mle" or best.status != "converged":
        raise ValueError(f"The test needs a regular maximum of the likelihood; got {best.kind}, status {best.status}.")
    kept = Problem(functions=functions, kind="mle").kept
    data = best.settings.get("data")
    arrays = data and {name: np.asarray(values)[None, None] for name, values in data.items()}
    scores, hessians = contributions(functions, best.flat[None], kept, arrays)
    weights = np.asarray(best.settings.get("weights", np.ones(scores.shape[1])), dtype=float)
    counted = weights > 0
    terms = _Terms(scores=scores[0, counted], hessians=hessians[0, counted], weights=weights[counted])
    test = asymptotics.information_matrix_test(terms.scores, terms.hessians, terms.weights)
    share = np.nan
    if replicates and test.degrees_of_freedom and np.all(weights == 1.0):
        share = _bootstrap(functions, best.flat, kept, test, replicates, generator)
    return _labelled(functions, best.flat, kept, terms, test, share)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Terms:
    """Scores (n, k), Hessians (n, k, k) and weights (n,) of the terms that count."""

    scores: Array
    hessians: Array
    weights: Array


def contributions(
    functions: ModelFunctions, z: Array, kept: Array, data: dict[str, Array] | None = None
) -> tuple[Array, Array]:
    """Scores (r, n, k) and Hessians (r, n, k, k) of every log-likelihood term at each of ``z`` (r, d).

    The Hessians are difference quotients of exact scores.

    Parameters
    ----------
    functions
        The model's functions.
    z
        Parameters, one for each data set.
    kept
        The coordinates that the likelihood contains.
    data
        For each observed variable (r, copies, *data shape); the copies' terms follow each other. The model's own by
        default.
    """
    count, d = z.shape
    arrays = None if data is None else {name: values[:, None] for name, values in data.items()}
    own = functions.scores(z[:, None, None], data=arrays)[..., kept]
    spread = np.sqrt(np.mean(own**2, axis=(0, 1, 2, 3)))
    steps = _STEP / np.where(spread > 0, spread, 1.0)
    moves = np.zeros((len(kept), len(_OFFSETS), d))
    moves[np.arange(len(kept))[:, None], np.arange(len(_OFFSETS)), kept[:, None]] = _OFFSETS * steps[:, None]
    at = z[:, None] + moves.reshape(-1, d)
    moved = functions.scores(at[:, :, None], data=arrays)[..., kept]
    copies, n = own.shape[2:4]
    moved = moved.reshape(count, len(kept), len(_OFFSETS), copies * n, len(kept))
    hessians = np.einsum("o,rjonk->rnjk", _WEIGHTS, moved) / steps[:, None]
    return own.reshape(count, copies * n, len(kept)), 0.5 * (hessians + hessians.swapaxes(-1, -2))


def _bootstrap(
    functions: ModelFunctions,
    flat: Array,
    kept: Array,
    test: SpecificationTest,
    count: int,
    generator: np.random.Generator,
) -> float:
    """The p value from the statistic's distribution under the fit (Horowitz 1994)."""
    truth = truth_at(functions, flat)
    pseudo_true = expected_fit(functions, truth, generator)
    if pseudo_true.information is None:
        return np.nan
    drawn = Simulator(functions, truth, generator).draw(functions.n_observations, count, generator)
    fits = fit_replicates(functions, drawn, pseudo_true)
    rows = np.flatnonzero(fits.exists)
    size = max(1, _CHUNK // (drawn.weights[0].size * len(kept) ** 2 * len(_OFFSETS)))
    statistics = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        data, weights = drawn.of(part)
        scores, hessians = contributions(functions, fits.flat[part], kept, data)
        flat_weights = np.broadcast_to(weights.reshape(len(weights), -1), scores.shape[:2])
        statistics += [
            asymptotics.information_matrix_test(s[w > 0], h[w > 0], w[w > 0]).statistic
            for s, h, w in zip(scores, hessians, flat_weights, strict=True)
        ]
    return float((1 + np.sum(np.array(statistics) >= test.statistic)) / (1 + len(statistics)))


def _labelled(
    functions: ModelFunctions, flat: Array, kept: Array, terms: _Terms, test: SpecificationTest, share: float
) -> InformationMatrixTest:
    count = float(terms.weights.sum())
    j = -np.einsum("n,njk->jk", terms.weights, terms.hessians) / count
    k = np.einsum("n,nj,nk->jk", terms.weights, terms.scores, terms.scores) / count
    back = np.linalg.pinv(functions.natural_jacobian(flat)[:, kept])
    names = functions.natural_names
    matrices = [
        xr.DataArray(
            back.T @ m @ back, dims=("parameter", "parameter_"), coords={"parameter": names, "parameter_": names}
        )
        for m in (j, k)
    ]
    warnings = []
    if not test.degrees_of_freedom:
        warnings.append("Both matrices agree whatever the data are, so there is nothing to test.")
    elif np.isnan(share) and count < _FEW * test.degrees_of_freedom:
        instead = (
            "let replicates be 199" if np.all(terms.weights == 1.0) else "no data sets are drawn for a weighted fit"
        )
        warnings.append(
            f"Only {counted(count, 'observation')} for {counted(test.degrees_of_freedom, 'degree')} of freedom: the limit rejects right "
            f"models too often; {instead}."
        )
    return InformationMatrixTest(
        statistic=test.statistic,
        degrees_of_freedom=test.degrees_of_freedom,
        p_value=test.p_value if test.degrees_of_freedom else np.nan,
        p_value_bootstrap=share,
        J=matrices[0],
        K=matrices[1],
        ratios=Information(hessian=j, score=k).eigenvalues,
        warnings=tuple(warnings),
    )
