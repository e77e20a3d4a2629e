"""``proof``: the theorem checked step by step for one model and one truth."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from pp_mlekl.estimation.pseudo_true.find_pseudo_true import pseudo_true_of
from pp_mlekl.estimation.replicates.simulator import Simulator
from pp_mlekl.inputs.truth import Truth, as_truth
from pp_mlekl.pymc_model.distributions.from_pymc import unknown_families
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.theorem.asymmetry import directions
from pp_mlekl.theorem.chebyshev import chebyshev
from pp_mlekl.theorem.density_grid import densities
from pp_mlekl.theorem.empirical_kl import empirical
from pp_mlekl.theorem.identity import constant_difference, one_minimiser
from pp_mlekl.theorem.law_of_large_numbers import law_of_large_numbers, simulate_deviations
from pp_mlekl.theorem.limit import convergence
from pp_mlekl.theorem.proof_result import Proof, Step
from pp_mlekl.theorem.setting import Setting
from pp_mlekl.typing import Array, Potentials, RandomSeed, TruthLike
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import check_count, check_memory, counted
from pp_mlekl.utils.garbage_collection import collected_rarely
from pp_mlekl.utils.progress import Progress, progress_bar
from pp_mlekl.utils.seeds import integer_of

if TYPE_CHECKING:
    import pymc as pm

SIZES = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)

# Maximum number of observations simulated for one size, and minimum number of replicates.
_TERMS, _MIN_REPLICATES = 1_000_000, 30


@collected_rarely()
@checked_arguments
def proof(
    model: "pm.Model",
    truth: TruthLike,
    *,
    sizes: Sequence[int] = SIZES,
    replicates: int = 1000,
    name: str | None = None,
    random_seed: RandomSeed = None,
    potentials: Potentials = None,
    progress: Progress = True,
) -> Proof:
    """Check numerically, step by step, that maximum likelihood minimises KL(true||model).

    Parameters
    ----------
    model
        A PyMC model.
    truth
        A mapping from parameter names to values, another PyMC model or a distribution (see
        ``pp_mlekl.inputs.truth.as_truth``); the model may be misspecified.
    sizes
        Increasing numbers of observations. If the rows of the model differ (covariates), each is rounded up to a multiple
        of the number of rows.
    replicates
        Data sets of each size; fewer for the largest sizes.
    name
        Title of the page; the model's variables by default.
    random_seed
        The same seed gives the same proof.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    progress
        Whether to show a progress bar in terminals and notebooks, or a function that is called with one line before each step.

    Returns
    -------
    Proof
        Seven steps with checks: both sides, their difference and the derived error that decides whether they pass.

    Raises
    ------
    TypeError, ValueError
        If KL(true||model) has no regular minimum or is infinite at every parameter.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     p = pm.Beta("p", 1, 1)
    ...     y = pm.Bernoulli("y", p, observed=[1, 0, 1, 1, 0, 1, 1, 0, 1, 1])
    >>> result = proof(model, {"p": 0.6}, sizes=[100, 1000], replicates=50, random_seed=1)
    >>> result.passed, [step.status for step in result.steps].count("pass")
    (True, 7)
    """
    _check(sizes, replicates)
    seed = integer_of(random_seed)
    functions = model_functions(model, potentials)
    generator = np.random.default_rng(seed)
    resolved = as_truth(functions, truth)
    setting, pseudo_true = _setting(functions, resolved, generator)
    used = _sizes(setting, sizes)
    counts = tuple(min(replicates, max(_MIN_REPLICATES, _TERMS // n)) for n in used)
    title, steps = name or ", ".join(functions.natural_names[:4]), list[Step]()
    with progress_bar(title, 4, progress) as say:
        say("1, 2: KL against cross-entropy")
        steps += [constant_difference(setting), one_minimiser(setting)]
        say("3, 4: simulating mean log-likelihoods")
        deviations = simulate_deviations(setting, used, counts)
        steps += [law_of_large_numbers(setting, deviations), chebyshev(setting, deviations)]
        say("5: fitting simulated data sets")
        steps.append(convergence(setting, used, counts))
        say("6, 7: observed data, asymmetry of KL")
        steps += [empirical(setting), directions()]
    return Proof(
        name=title,
        truth=describe(truth, resolved),
        steps=tuple(steps),
        densities=densities(setting),
        pseudo_true=pseudo_true,
        settings={
            "random_seed": str(seed),
            "sizes": used,
            "replicates": counts,
            "pp_mlekl_version": version("pp_mlekl"),
        },
    )


def _setting(functions: ModelFunctions, truth: Truth, generator: np.random.Generator) -> tuple[Setting, Any]:
    if truth.kind == "draws":
        raise ValueError(
            "The proof needs a density, which held-out draws do not have; pass the truth as parameters of the "
            "model, a distribution or another model."
        )
    unknown = [*truth.sampled, *unknown_families(functions)]
    if unknown:
        raise ValueError(
            f"The proof needs the KL divergence of {unknown[0]!r} without simulation, which its family does not have; use "
            "`study` or `fitted_divergence`."
        )
    simulator = Simulator(functions, truth, generator)
    fit, pseudo_true = pseudo_true_of(functions, truth, generator)
    if fit.information is None:
        raise ValueError(
            f"KL(true||model) has no regular minimum ({pseudo_true.status}); use another truth or model. "
            f"{' '.join(pseudo_true.warnings)}".rstrip()
        )
    if not np.isfinite(pseudo_true.kl_min):
        raise ValueError(
            "KL(true||model) is infinite at every parameter; use a model with the support and tails of the truth."
        )
    setting = Setting(functions=functions, truth=truth, pseudo_true=fit, simulator=simulator, generator=generator)
    return setting, pseudo_true


def _sizes(setting: Setting, sizes: Sequence[int]) -> tuple[int, ...]:
    if setting.simulator.same_rows:
        return tuple(int(n) for n in sizes)
    rows = setting.rows
    return tuple(sorted({-(-int(n) // rows) * rows for n in sizes}))


def _check(sizes: Sequence[int], replicates: int) -> None:
    values = list(sizes)
    if not values or not all(n >= 2 and n % 1 == 0 for n in values) or values != sorted(set(values)):
        raise ValueError(f"`sizes` must be increasing positive integers of at least 2, got {values}; sort them.")
    check_count("replicates", replicates, at_least=_MIN_REPLICATES)
    check_memory(
        _MIN_REPLICATES * int(values[-1]), f"{_MIN_REPLICATES} data sets of {counted(values[-1], 'observation')}"
    )
    check_memory(int(replicates) * len(values), counted(replicates, "replicate"))


def describe(truth: Any, resolved: Truth) -> str:
    """A short description of the truth."""
    if resolved.kind == "parameters":
        values = dict(truth.data_vars) if hasattr(truth, "data_vars") else dict(truth)
        return "the model at " + ", ".join(f"{k} = {_short(np.asarray(v))}" for k, v in values.items())
    parts = []
    for name, p in resolved.distributions.items():
        one = p.select((0,) * len(p.batch_shape)) if p.batch_shape else p
        given = [f"{k}={_short(v)}" for k, v in vars(one).items() if isinstance(v, np.ndarray)]
        parts.append(f"{name} ~ {type(p).__name__}({', '.join(given)})")
    return "; ".join(parts)


def _short(value: Array) -> str:
    if value.ndim == 0:
        return f"{float(value):.4g}"
    text = np.array2string(value, precision=4, threshold=8, formatter={"float_kind": "{:.4g}".format})
    return " ".join(text.split())
