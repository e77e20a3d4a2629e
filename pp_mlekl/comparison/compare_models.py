"""Compare models of the same data: evidence, leave-one-out, divergence from the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.comparison.sentences import about_bayes_factor
from pp_mlekl.diagnostics.diagnose import sampling_problems
from pp_mlekl.diagnostics.findings import Finding
from pp_mlekl.diagnostics.loo_weights import leave_one_out, loo_weights
from pp_mlekl.divergences.monte_carlo import RELIABLE_SHAPE
from pp_mlekl.posterior.evidence_estimate import log_evidence_of
from pp_mlekl.posterior.information_gain import information_gain
from pp_mlekl.pymc_model.draws.before_sampling import with_sample_kwargs
from pp_mlekl.pymc_model.draws.sampling import ensure_groups, sample
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.pymc_model.prior_sampler import improper_names
from pp_mlekl.typing import Array, NutsSampler, Potentials, RandomSeed, SampleKwargs
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.files import AnyPath
from pp_mlekl.utils.parallel import map_tasks
from pp_mlekl.utils.seeds import generator_of
from pp_mlekl.utils.warning_attributes import read_warnings

if TYPE_CHECKING:
    import distributed

_COLUMNS = (
    "log_evidence",
    "log_evidence_mcse",
    "elpd_loo",
    "elpd_loo_se",
    "prior_sensitivity",
    "prior_sensitivity_mcse",
    "kl_truth",
    "kl_truth_mcse",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelComparison:
    """Models ranked by evidence and by leave-one-out.

    Parameters
    ----------
    dataset
        Over ``model``: ``log_evidence``, ``probability`` (posterior, of the model), ``elpd_loo`` with their errors,
        ``loo_weight`` (stacking), ``kl_truth`` (KL(truth||posterior predictive), sum over rows; NaN without a truth),
        ``prior_sensitivity`` (d log Z / d log s when the top-level priors are raised to the power s^-2); over (``model``,
        ``against``): ``log_bayes_factor`` and its own sensitivity, with their errors. In nats; NaN if unavailable.
    warnings
        What may make the numbers unreliable.
    doubtful
        The models with sampling problems: the error of their evidence may be larger than reported.
    """

    dataset: xr.Dataset
    warnings: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()

    def summary(self) -> pd.DataFrame:
        """A row for each model, the best evidence first, with ranks by evidence and by leave-one-out."""
        scalars = [name for name, a in self.dataset.data_vars.items() if a.dims == ("model",)]
        frame = self.dataset[scalars].to_dataframe()
        frame.insert(0, "rank_loo", _rank(frame["elpd_loo"]))
        frame.insert(0, "rank_evidence", _rank(frame["log_evidence"]))
        return frame.sort_values(["rank_evidence", "rank_loo"])

    @checked_arguments
    def bayes_factor(self, model: str, against: str) -> tuple[float, float]:
        """Bayes factor of ``model`` against another, and its standard error (delta method)."""
        known = [str(m) for m in self.dataset["model"].values]
        for name in (model, against):
            if name not in known:
                raise ValueError(f"There is no model {name!r}; choose from {', '.join(known)}.")
        cell = self.dataset.sel(model=model, against=against)
        factor = float(np.exp(cell["log_bayes_factor"]))
        return factor, factor * float(cell["log_bayes_factor_mcse"])

    def findings(self) -> list[str]:
        """The Bayes factor of the best model against each other, and how it depends on the priors, one sentence each."""
        return [found.text for found in self.graded_findings()]

    def graded_findings(self) -> list[Finding]:
        """The same as ``Finding``; the level is ``"caution"`` if an evidence is unreliable."""
        order = [str(name) for name in self.summary().index if np.isfinite(self._of(str(name), "log_evidence"))]
        return [about_bayes_factor(self, order[0], other) for other in order[1:]]

    def _of(self, model: str, name: str) -> float:
        return float(self.dataset[name].sel(model=model))

    def plot(self) -> Any:
        """Evidence and leave-one-out of each model, with their errors."""
        from pp_mlekl.report.models_page import models

        return models(self)

    @checked_arguments
    def to_html(self, path: AnyPath) -> Path:
        """Write one self-contained page: findings, table, Bayes factors and plot."""
        from pp_mlekl.report.models_page import write_models

        return write_models(self, path)

    def __repr__(self) -> str:
        lines = [self.summary().to_string(float_format="{:.4g}".format), *self.findings(), *self.warnings]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from pp_mlekl.report.models_page import models_html

        return models_html(self)


@checked_arguments
def compare_models(
    models: Mapping[str, Any],
    *,
    prior_probabilities: Mapping[str, float] | None = None,
    nuts_sampler: NutsSampler = "nutpie",
    sample_kwargs: SampleKwargs | None = None,
    potentials: Potentials = None,
    random_seed: RandomSeed = None,
    client: "distributed.Client | None" = None,
) -> ModelComparison:
    """Compare models of the same data.

    Parameters
    ----------
    models
        By name: a ``Comparison`` (of ``mk.compare``) or its tree, a PyMC model, or a pair of a PyMC model and a
        tree of its posterior draws. Groups that the tree lacks are computed from the model.
    prior_probabilities
        Prior probability of each model, positive; equal if None.
    nuts_sampler, sample_kwargs
        Sampler and further arguments of ``pm.sample`` (``draws``, ``tune``, ``target_accept``, ``cores``, ...), used if the
        model is sampled.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    random_seed
        An integer, SeedSequence or Generator.
    client
        A ``dask.distributed.Client``: each model is a task of its workers, which sample it and estimate its evidence.

    Returns
    -------
    ModelComparison

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two models, a tree without an evidence is given without a model, the data of the models
        differ, or a prior probability is missing or not positive.

    Examples
    --------
    >>> import pymc as pm
    >>> from pp_mlekl import laplace
    >>> def build(scale):
    ...     with pm.Model() as model:
    ...         mu = pm.Normal("mu", 0, scale)
    ...         pm.Normal("y", mu, 1, observed=[0.5, 1.5, 0.7])
    ...     return model, laplace(model, draws=2000, random_seed=1).tree
    >>> result = compare_models({"narrow": build(1.0), "wide": build(10.0)}, random_seed=1)
    >>> list(result.summary().index)
    ['narrow', 'wide']
    """
    if len(models) < 2:
        raise ValueError(f"Give at least two models to compare, got {len(models)}.")
    prior = _prior(models, prior_probabilities)
    generator = generator_of(random_seed)
    for name, given in models.items():
        _check_tree(name, getattr(given, "tree", given))
    notes = check_same_data(models, potentials)
    notes += _about_improper({name: _improper(given, potentials) for name, given in models.items()})
    settings = with_sample_kwargs(sample_kwargs, nuts_sampler=nuts_sampler)
    tasks = list(zip(models.values(), generator.spawn(len(models)), strict=True))
    trees = dict(zip(models, map_tasks(partial(_tree, potentials, settings), tasks, client), strict=True))
    loos = {name: leave_one_out(tree) for name, tree in trees.items()}
    columns = {name: _row(name, tree, loos[name], notes) for name, tree in trees.items()}
    problems = {name: sampling_problems(tree) for name, tree in trees.items()}
    for name, found in problems.items():
        notes += [f"{name}: {p} The error of its evidence may be larger than reported." for p in found]
    names = xr.DataArray(list(models), dims="model", name="model")
    rows = {key: ("model", np.array([c[key] for c in columns.values()], dtype=float)) for key in _COLUMNS}
    dataset = xr.Dataset(rows, coords={"model": names}, attrs={"units": "nats"})
    dataset = dataset.assign(**_probabilities(dataset, prior), loo_weight=("model", loo_weights(loos)))
    dataset = dataset.assign_coords(against=names.values).assign(**_bayes_factors(dataset))
    doubtful = tuple(name for name, found in problems.items() if found)
    return ModelComparison(dataset=dataset, warnings=tuple(notes), doubtful=doubtful)


def _prior(models: Mapping[str, Any], given: Mapping[str, float] | None) -> Array:
    if given is None:
        return np.full(len(models), 1 / len(models))
    if set(given) != set(models) or not all(p > 0 for p in given.values()):
        raise ValueError(f"prior_probabilities must give a positive number for each of {', '.join(models)}.")
    values = np.array([given[name] for name in models], dtype=float)
    return values / values.sum()


def _check_tree(name: str, given: Any) -> None:
    if isinstance(given, xr.DataTree) and not {"information_gain", "log_likelihood"} <= set(given.children):
        raise ValueError(
            f"{name}: the tree has no evidence or no log-likelihood; pass (model, idata), or the tree of mk.compare."
        )


def _tree(potentials: Potentials, settings: Mapping[str, Any], task: tuple[Any, np.random.Generator]) -> xr.DataTree:
    """A tree with ``log_likelihood`` and ``information_gain``, of what is given as a model and a generator of its own."""
    given, generator = task
    given = getattr(given, "tree", given)
    if isinstance(given, xr.DataTree):
        return given
    model, tree = given if isinstance(given, tuple) else (given, None)
    functions = model_functions(model, potentials)
    if tree is None:
        tree = sample(model, random_seed=generator, potentials=potentials, **settings)
    groups = ["log_likelihood", "observed_data"]
    tree = ensure_groups(model, tree, groups, random_seed=generator, functions=functions)
    if not improper_names(functions.model):
        tree["information_gain"] = information_gain(
            model, tree, var_names=(), potentials=potentials, random_seed=generator
        )
    return tree


def _improper(given: Any, potentials: Potentials) -> set[str]:
    """Variables with an improper prior, of a model or a pair of one and its draws; none of a tree, which has no model."""
    if isinstance(getattr(given, "tree", given), xr.DataTree):
        return set()
    return set(improper_names(model_functions(given[0] if isinstance(given, tuple) else given, potentials).model))


def _about_improper(improper: Mapping[str, set[str]]) -> list[str]:
    notes = [
        f"{name}: no evidence, because the prior of {', '.join(sorted(variables))} is improper; give it a proper prior."
        for name, variables in improper.items()
        if variables
    ]
    shared = sorted(set.intersection(*improper.values()))
    if shared:
        notes.append(
            f"All models have {', '.join(shared)} with an improper prior. If it means the same in all of them, give it the same wide "
            "proper prior: the constant of such a nuisance prior cancels in the Bayes factor."
        )
    return notes


def _without_evidence(tree: xr.DataTree) -> str:
    """Why a tree has no evidence, as its information gain says."""
    return next(iter(read_warnings(tree["information_gain"].attrs)), "bridge sampling failed.")


def _row(name: str, tree: xr.DataTree, loo: Any, notes: list[str]) -> dict[str, float]:
    row = dict.fromkeys(_COLUMNS, np.nan)
    gained = tree["information_gain"] if "information_gain" in tree.children else xr.DataTree()
    if "joint" in gained.children:
        joint = gained["joint"]
        row["log_evidence"], row["log_evidence_mcse"] = log_evidence_of(joint)
        if "log_evidence_prior_sensitivity" in joint:
            row["prior_sensitivity"] = float(joint["log_evidence_prior_sensitivity"])
            row["prior_sensitivity_mcse"] = float(joint["log_evidence_prior_sensitivity_mcse"])
    if not np.isfinite(row["log_evidence"]) and "information_gain" in tree.children:
        notes.append(f"{name}: no evidence; {_without_evidence(tree)}")
    fitted = tree["fitted"] if "fitted" in tree.children else None
    if fitted is not None and "posterior_predictive" in fitted["estimator"] and tree.attrs.get("truth") != "unknown":
        cell = fitted.to_dataset().sel(estimator="posterior_predictive")
        row["kl_truth"], row["kl_truth_mcse"] = float(cell["kl"]), float(cell["kl_mcse"])
    if loo is None:
        notes.append(f"{name}: leave-one-out needs at least two observations of each observed variable.")
        return row
    row["elpd_loo"], row["elpd_loo_se"] = float(loo.elpd), float(loo.se)
    bad = int(np.sum(np.asarray(loo.pareto_k) > RELIABLE_SHAPE))
    if bad:
        notes.append(
            f"{name}: {bad} of {len(loo.pareto_k)} Pareto k exceed {RELIABLE_SHAPE}; its leave-one-out estimate is unreliable."
        )
    return row


def _probabilities(dataset: xr.Dataset, prior: Array) -> dict[str, Any]:
    """Posterior probabilities of the models; NaN if an evidence is missing."""
    log_z, error = dataset["log_evidence"].values, dataset["log_evidence_mcse"].values
    weights = np.exp(log_z - log_z.max() + np.log(prior))
    p = weights / weights.sum()
    # d p_i / d log Z_j = p_i (delta_ij - p_j)
    gradient = p[:, None] * (np.eye(len(p)) - p)
    return {"probability": ("model", p), "probability_mcse": ("model", np.sqrt(gradient**2 @ error**2))}


def _bayes_factors(dataset: xr.Dataset) -> dict[str, Any]:
    def pairs(name: str, combine: Any) -> Any:
        values = dataset[name].values
        return (("model", "against"), combine(values[:, None], values[None, :]))

    off = 1 - np.eye(dataset.sizes["model"])
    return {
        "log_bayes_factor": pairs("log_evidence", np.subtract),
        "log_bayes_factor_mcse": pairs("log_evidence_mcse", lambda a, b: np.hypot(a, b) * off),
        "log_bayes_factor_sensitivity": pairs("prior_sensitivity", np.subtract),
        "log_bayes_factor_sensitivity_mcse": pairs("prior_sensitivity_mcse", lambda a, b: np.hypot(a, b) * off),
    }


def _rank(values: pd.Series) -> pd.Series:
    return values.rank(ascending=False, na_option="bottom").astype(int)


def check_same_data(models: Mapping[str, Any], potentials: Any = None) -> list[str]:
    """Check that all models have the same data, without which evidences cannot be compared.

    They need the same number of observations, and the same values in observed variables of the same name.

    Parameters
    ----------
    models
        By name: a PyMC model, a pair (model, tree), a tree with ``log_likelihood``, or a ``Comparison``.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.

    Returns
    -------
    Notes on models whose observed variables have other names and other values, such as the logarithms of the others'.

    Raises
    ------
    ValueError
        If the data differ.
    """
    notes = []
    found = {name: _data(given, potentials) for name, given in models.items()}
    first_name, (first_count, first) = next(iter(found.items()))
    for name, (count, data) in found.items():
        if count != first_count:
            raise ValueError(
                f"{first_name} has {counted(first_count, 'observation')} and {name} has {count:,}; compare models of the same data."
            )
        for variable in sorted(set(first) & set(data)):
            if not np.array_equal(first[variable], data[variable]):
                raise ValueError(
                    f"The data of {variable!r} differ between {first_name} and {name}; compare models of the same data."
                )
        if set(first) != set(data) and not _same_values(first, data):
            notes.append(
                f"{first_name} and {name} have observed variables of other names and values ({', '.join(sorted(first))}; "
                f"{', '.join(sorted(data))}). Densities of transformed data, such as y and log(y), are on different scales: add the "
                "log Jacobian of the transformation, sum(log|d transformed / d y|), to the model of the transformed data before "
                "comparing evidence or elpd."
            )
    return notes


def _same_values(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    """Whether two sets of observed variables hold the same numbers, whatever their names and order."""
    first, second = (np.sort(np.concatenate([np.empty(0), *map(np.ravel, data.values())])) for data in (one, other))
    return np.array_equal(first, second)


def _data(given: Any, potentials: Any) -> tuple[int, dict[str, Array]]:
    """The number of observations, and the observed values by variable."""
    tree = getattr(given, "tree", given)
    if isinstance(tree, xr.DataTree):
        terms = tree["log_likelihood"].to_dataset().isel(chain=0, draw=0)
        observed = tree["observed_data"].to_dataset() if "observed_data" in tree.children else xr.Dataset()
        return sum(t.size for t in terms.data_vars.values()), {str(n): a.values for n, a in observed.data_vars.items()}
    functions = model_functions(given[0] if isinstance(given, tuple) else given, potentials)
    return sum(int(np.prod(v.shape)) for v in functions.observed), functions.observed_data()
