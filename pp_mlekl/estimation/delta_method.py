"""Estimates and standard errors of deterministics: the delta method."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from pp_mlekl.estimation.bounded_interval import RANGES, Transform, bounded_interval
from pp_mlekl.estimation.sandwich import influences
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.estimation.wald_interval import check_ci_prob, check_covariance
from pp_mlekl.estimation.wald_table import wald_table
from pp_mlekl.optimize.parameter_space import TO_THE_LIMIT
from pp_mlekl.optimize.sandwich import robust_error
from pp_mlekl.pymc_model.deterministics import Quantities, quantities
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.typing import Array, Names, Potentials
from pp_mlekl.utils.arguments import check_names, checked_arguments
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.display import Display, Displayed

if TYPE_CHECKING:
    import pymc as pm

    from pp_mlekl.estimation.point_estimate import PointEstimate

# A quantity above this value on the way to a limit tends to infinity.
_ENDLESS = 1e100
# A derivative by the unconstrained parameters below this fraction of the value is numerical noise.
_CONSTANT = 1e-14


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DerivedEstimate(Displayed):
    """Quantities that follow from the parameters, at an estimate.

    Parameters
    ----------
    values, standard_error
        On the quantities' own dims and coords; no standard error (NaN) where an irregular direction of the estimate
        moves them, and no value where they depend on what was not estimated.
    covariance
        ``(quantity, quantity_)`` of all elements.
    degrees_of_freedom
        For sandwich standard errors (Satterthwaite), on the same dims; infinite where the error is from the information.
    bounds
        (quantity, bound): the lower and the upper bound of each quantity, infinite where it has none. Intervals are symmetric
        on the scale on which the quantity is unbounded (log, logit, Fisher's z).
    status, warnings
        As in the estimate.
    """

    values: xr.Dataset
    standard_error: xr.Dataset
    covariance: xr.DataArray
    degrees_of_freedom: xr.Dataset
    bounds: xr.DataArray
    status: str
    warnings: tuple[str, ...]

    @checked_arguments
    def interval(self, *, ci_prob: float = 0.95) -> xr.Dataset:
        """Wald intervals on the quantities' own dims, over ``bound``: lower, upper. They stay within ``bounds``.

        Parameters
        ----------
        ci_prob
            Coverage; Student's t with ``degrees_of_freedom``.

        Raises
        ------
        ValueError
            Where ``ci_prob`` is not between 0 and 1.
        """
        sizes = np.cumsum([v.size for v in self.values.data_vars.values()])[:-1]
        ends = []
        for flat in self._interval(ci_prob):
            parts = zip(self.values.data_vars.items(), np.split(flat, sizes), strict=True)
            ends.append(xr.Dataset({name: v.copy(data=part.reshape(v.shape)) for (name, v), part in parts}))
        return xr.concat(ends, "bound").assign_coords(bound=["lower", "upper"])

    def _interval(self, ci_prob: float) -> tuple[Array, Array]:
        check_ci_prob(ci_prob)
        freedom = _flat(self.degrees_of_freedom)
        half = stats.t.ppf(0.5 + ci_prob / 2, freedom) * _flat(self.standard_error)
        return bounded_interval(_flat(self.values), half, *self.bounds.values.T)

    @deprecated_arguments(renamed={"prob": "ci_prob"}, positional=("self", "ci_prob"))
    @checked_arguments
    def summary(self, *, ci_prob: float = 0.95) -> pd.DataFrame:
        """One row for each element: estimate, standard error, z, p value (of being 0) and Wald interval.

        Parameters
        ----------
        ci_prob
            Coverage of the intervals; Student's t with ``degrees_of_freedom``.
        """
        names = [str(name) for name in self.covariance["quantity"].values]
        value, error, freedom = (_flat(d) for d in (self.values, self.standard_error, self.degrees_of_freedom))
        table = wald_table(names, value, error, ci_prob, degrees_of_freedom=freedom)
        table.iloc[:, -2:] = np.stack(self._interval(ci_prob), axis=-1)
        return table

    def _display(self) -> Display:
        return Display(
            title="Derived quantities",
            badge=self.status,
            level="good" if self.status == "converged" else "caution",
            warnings=self.warnings,
            table=self.summary(),
        )


@deprecated_arguments(positional=("model", "estimate", "var_names"))
@checked_arguments
def delta_method(
    model: "pm.Model",
    estimate: "PointEstimate",
    *,
    var_names: Names | None = None,
    error: Literal["information", "sandwich"] = "information",
    transform: Transform | Mapping[str, Transform] = "auto",
    potentials: Potentials = None,
) -> DerivedEstimate:
    """Estimates, standard errors and intervals of a model's deterministics, by the delta method with exact derivatives.

    The maximum likelihood estimate of a function is the function of the estimate; its covariance is D C D' with C that
    of the unconstrained parameters and D the function's derivatives. All quantities share one graph and one covariance.
    A combination that is identified has its standard error even where its parts have none.

    Parameters
    ----------
    model
        The model that was fitted.
    estimate
        By ``find_mle`` (also with ``marginalize``) or ``find_map``. A mode does not carry over to functions of the
        parameters as the maximum of a likelihood does.
    var_names
        Deterministics or free variables; all deterministics of real numbers where None.
    error
        ``"information"`` (observed information) or ``"sandwich"`` (holds when the model is wrong).
    transform
        The scale on which intervals are symmetric: ``"identity"``, ``"log"`` (positive quantities), ``"logit"`` (between 0 and
        1) or ``"fisher_z"`` (between -1 and 1), for all or by variable. With ``"auto"`` it follows from the range that the
        quantity's graph allows: ``exp``, ``sigmoid``, a softmax, positive parameters and what is computed from them.
    potentials
        As for ``find_mle``.

    Returns
    -------
    DerivedEstimate

    Raises
    ------
    TypeError, ValueError
        Where the estimate belongs to another model, a name is no such variable, PyTensor knows no derivative of it, the
        sandwich does not apply, or a value is out of the range of its transform.

    Examples
    --------
    >>> import pymc as pm
    >>> from pp_mlekl.estimation.find_mle_map import find_mle
    >>> with pm.Model() as model:
    ...     p = pm.Beta("p", 1, 1)
    ...     odds = pm.Deterministic("odds", p / (1 - p))
    ...     y = pm.Binomial("y", 20, p, observed=15)
    >>> result = delta_method(model, find_mle(model, random_seed=1))
    >>> round(float(result.values["odds"]), 4), round(float(result.standard_error["odds"]), 4)
    (3.0, 1.5492)
    """
    if estimate.settled.solve is None:
        check_covariance(estimate)
    functions = model_functions(model, potentials)
    check_belongs(functions, estimate)
    wanted = quantities(functions, var_names, estimate.settings.get("data"))
    jacobian = wanted.jacobian(estimate.flat)
    # A constant (the diagonal of a correlation matrix) may depend on parameters by its rounding.
    constant = np.abs(jacobian).max(axis=1, initial=0.0) < _CONSTANT * np.abs(wanted.values(estimate.flat))
    jacobian = np.where(constant[:, None], 0.0, jacobian)
    if error == "sandwich":
        influence = influences(functions, estimate)
        terms = influence.of_z @ jacobian.T
        covariance = (influence.weights[:, None] * terms).T @ terms
        freedom = robust_error(terms, influence.weights).degrees_of_freedom
    else:
        covariance = estimate.settled.of(jacobian)
        freedom = np.full(len(jacobian), np.inf)
    values, irregular = _settled(wanted, estimate, jacobian)
    bounds = _bounds(wanted, transform, values)
    covariance[irregular] = covariance[:, irregular] = np.nan
    names = wanted.labels
    with np.errstate(invalid="ignore"):
        errors = np.sqrt(np.diagonal(covariance))
    return DerivedEstimate(
        values=wanted.dataset(values),
        standard_error=wanted.dataset(errors),
        covariance=xr.DataArray(
            covariance, dims=("quantity", "quantity_"), coords={"quantity": names, "quantity_": names}
        ),
        degrees_of_freedom=wanted.dataset(freedom),
        bounds=xr.DataArray(
            bounds, dims=("quantity", "bound"), coords={"quantity": names, "bound": ["lower", "upper"]}
        ),
        status=estimate.status,
        warnings=estimate.warnings,
    )


def _bounds(wanted: Quantities, transform: Transform | Mapping[str, Transform], values: Array) -> Array:
    """The bounds (m, 2) of the quantities with some values (m,).

    Raises
    ------
    ValueError
        Where a transform is not known, names no quantity, or does not hold a value.
    """
    chosen = dict.fromkeys(wanted.names, transform) if isinstance(transform, str) else dict(transform)
    check_names("The names of transform", list(chosen), wanted.names, fewest=0)
    # Rounding may carry a value over a bound that its graph cannot cross: only a bound that was asked for is checked.
    rows, asked = [], []
    for name, found, shape in zip(wanted.names, wanted.ranges, wanted.shapes, strict=True):
        size = int(np.prod(shape, dtype=int))
        rows += [RANGES.get(chosen.get(name, "auto"), found)] * size
        asked += [chosen.get(name, "auto") != "auto"] * size
    bounds = np.array(rows)
    outside = np.flatnonzero(asked & ((values < bounds[:, 0]) | (values > bounds[:, 1])))
    if len(outside):
        label, value = wanted.labels[outside[0]], values[outside[0]]
        raise ValueError(
            f"{label} is {value:.6g}, which its transform does not hold (it lies between {bounds[outside[0], 0]:g} and "
            f"{bounds[outside[0], 1]:g}); choose another, such as transform='identity'."
        )
    return bounds


def _flat(dataset: xr.Dataset) -> Array:
    return np.concatenate([np.ravel(v) for v in dataset.data_vars.values()])


def _settled(wanted: Quantities, estimate: "PointEstimate", jacobian: Array) -> tuple[Array, Array]:
    """The values (m,), and which of them have no standard error."""
    settled, z = estimate.settled, estimate.flat
    values = wanted.values(z)
    irregular = settled.moved(jacobian)
    if estimate.status in ("unbounded", "failed"):
        return np.full(len(values), np.nan), np.ones(len(values), dtype=bool)
    if not (len(settled.run_off) or len(settled.absent)):
        return values, irregular
    # Near a boundary a derivative may be lost to rounding: dependence is determined at another point.
    functions = wanted.functions
    elsewhere = functions.initial_point() + 0.1 * np.random.default_rng(0).normal(size=functions.size)
    pattern = wanted.jacobian(elsewhere)
    for direction in settled.run_off:
        depends = pattern @ direction != 0
        limit, constant = _limit(wanted, z, direction)
        values[depends] = limit[depends]
        irregular |= depends & constant
    unknown = np.any(pattern[:, settled.absent] != 0, axis=1)
    values[unknown] = np.nan
    return values, irregular | unknown


def _limit(wanted: Quantities, z: Array, direction: Array) -> tuple[Array, Array]:
    """Limits of quantities as z diverges along a direction, and which of them are constant there and so have no error.

    A limit may be infinite; it is NaN where there is none.
    """
    step = TO_THE_LIMIT / np.abs(direction).max() * direction
    with np.errstate(all="ignore"):
        here, near, far = wanted.values(z), wanted.values(z + 0.5 * step), wanted.values(z + step)
        # In the quantity's own unit: a limit of 0 is one beside what the value is here.
        rests = np.abs(far - near) <= 1e-12 * np.fmax(np.abs(here), np.abs(far))
        # Exponential growth is taken as divergence.
        endless = np.abs(near) > _ENDLESS
        across = np.random.default_rng(0).normal(size=len(z))
        across -= (across @ direction) / (direction @ direction) * direction
        constant = ~rests | (wanted.values(z + step + 1e-2 * across) == far)
        return np.where(endless, np.sign(near) * np.inf, np.where(rests, far, np.nan)), constant
