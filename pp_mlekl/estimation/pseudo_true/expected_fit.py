"""Maximise the expected log-likelihood: the same search as for the MLE, on quadrature nodes of the truth."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pp_mlekl.estimation.asymptotics import Information
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.pseudo_true.divergence_at import divergence, minimum, unknown
from pp_mlekl.estimation.pseudo_true.smooth_minimum import smooth_minimum
from pp_mlekl.estimation.quadrature_data import NodeData, node_data
from pp_mlekl.inputs.truth import Truth
from pp_mlekl.optimize.audit.verdict import Audit, Verdict
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.search import search
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

_STARTS = 6
_INFINITE = (
    "KL(true||model) is infinite at all points that were tried: the truth has values or tails that the model does not allow; "
    "use a model with a wider support or heavier tails."
)
_NO_VARIANCE = (
    "The scores have no variance under the truth, whose tails are too heavy: there is no sandwich, and the estimate's error does "
    "not fall as 1 / sqrt(n)."
)
# Nodes below the first weight are in the far tails. An integral to which they contribute more than the second fraction has
# not converged.
_FAR, _FAR_SHARE = 1e-25, 0.01
# Share of the scores' variance that a second difference of KL is at least where it is none of an error, a thousandth at kinks.
_CURVED = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedProblem(Problem):
    """The likelihood with the expectation under the truth in place of the data."""

    nodes: NodeData

    @cached_property
    def objective(self) -> Objective:
        """The expected log-likelihood over the coordinates that it contains."""
        functions, nodes = self.functions, self.nodes

        def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
            if order == 0:
                return (nodes.expected_log_likelihood(functions, z),)
            return nodes.gradient(functions, z) if order == 1 else nodes.hessian(functions, z)

        derivatives = 1 if self.without_hessian else 2
        whole = Objective(size=functions.size, evaluate=evaluate, derivatives=derivatives)
        return whole.restricted(self.kept, self.base)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedPoint:
    """A parameter about which estimates scatter, and expectations under the truth there.

    Parameters
    ----------
    problem
        The expected log-likelihood.
    flat
        The parameter z (d,); NaN where a search for it failed.
    expected_log_likelihood
        Sum over rows of ``E[log q]`` there.
    kl_min
        Sum over rows of KL(true||model) there; NaN where the truth is only a sample.
    information
        J and K for one observation, over the kept coordinates of z; None where there is no regular minimum.
    kl_at_kinks
        KL(true||model) at points (b, d), mean over the rows, (b,), where the log density has kinks: no sample's likelihood
        then has a Hessian and the nodes are not exact. None elsewhere.
    """

    problem: ExpectedProblem
    flat: Array
    expected_log_likelihood: float
    kl_min: float = np.nan
    information: Information | None
    kl_at_kinks: Callable[[Array], Array] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedFit(ExpectedPoint):
    """The minimiser of KL(true||model) and what follows from it.

    Parameters
    ----------
    verdict
        The verdict of the search.
    kl_min_mcse
        Monte Carlo error of ``kl_min``.
    """

    verdict: Verdict
    kl_min_mcse: float


def expected_at(functions: ModelFunctions, nodes: NodeData, flat: Array) -> ExpectedPoint:
    """Expectations at a given parameter, by data sets whose covariates are random too.

    Parameters
    ----------
    functions
        The model's functions.
    nodes
        Data sets from the truth.
    flat
        The parameter z (d,).
    """
    problem = ExpectedProblem(functions=functions, kind="mle", nodes=nodes)
    information = None
    if not problem.without_hessian:
        with np.errstate(all="ignore"):
            found = information_at(functions, nodes, flat, problem.kept, random_rows=True)
        finite = np.isfinite(found.hessian).all() and np.isfinite(found.score).all()
        if finite and found.rank == len(problem.kept):
            information = found
    value = float(nodes.expected_log_likelihood(functions, flat))
    return ExpectedPoint(problem=problem, flat=flat, expected_log_likelihood=value, information=information)


def expected_fit(
    functions: ModelFunctions, truth: Truth, generator: np.random.Generator, starts: int = _STARTS
) -> ExpectedFit:
    """Find the pseudo-true parameter of a model under a truth.

    Parameters
    ----------
    functions
        The model's functions.
    truth
        What is true.
    generator
        For starts, and for truths that have to be sampled.
    starts
        Number of searches.
    """
    nodes = node_data(functions, truth, generator)
    problem = ExpectedProblem(functions=functions, kind="mle", nodes=nodes)
    verdict = _at_the_truth(problem, truth)
    if verdict is None:
        known = [] if truth.flat is None else [truth.flat]
        places = problem.starts(starts, generator, None, known)
        verdict = search(problem.objective, places, problem.space)
        if verdict.status == "failed" and not np.any(np.isfinite(problem.objective.value(places))):
            verdict = replace(verdict, warnings=(_INFINITE,))
    information = kl_at_kinks = None
    # Between two nodes the expectation of kinks may be level where KL itself is not.
    irregular = (verdict.status == "converged" and verdict.singular) or verdict.status == "not_identified"
    if irregular and not unknown(functions, truth):
        kl_at_kinks = divergence(functions, truth)
        verdict, information = _across_kinks(problem, kl_at_kinks, verdict)
    flat = problem.full(verdict.z)
    has_hessian = not (verdict.singular or problem.without_hessian)
    if information is None and verdict.status == "converged" and has_hessian:
        information = information_at(functions, nodes, flat, problem.kept)
    if information is not None and _determined_by_far_tails(functions, nodes, flat, problem.kept, information):
        verdict, information = replace(verdict, warnings=(*verdict.warnings, _NO_VARIANCE)), None
    kl_min, error = minimum(functions, truth, flat, nodes) if verdict.status == "converged" else (np.nan, np.nan)
    if np.isinf(kl_min):
        verdict, information = replace(verdict, status="failed", warnings=(_INFINITE,)), None
    return ExpectedFit(
        problem=problem,
        verdict=verdict,
        flat=flat,
        expected_log_likelihood=verdict.value,
        kl_min=kl_min,
        kl_min_mcse=error,
        information=information,
        kl_at_kinks=kl_at_kinks if information is not None else None,
    )


def _at_the_truth(problem: ExpectedProblem, truth: Truth) -> Verdict | None:
    """The verdict where the model contains the truth, which then minimises KL (Gibbs' inequality).

    None where it does not, or where the information is singular, so that a search has to find the reason.
    """
    if truth.flat is None or problem.without_hessian:
        return None
    z = truth.flat[problem.kept]
    if not np.all(np.isfinite(z)):
        return None
    value, gradient, hessian = (part[0] for part in problem.objective.hessian(z[None]))
    information = Information(hessian=-hessian, score=-hessian)
    if not np.isfinite(value) or information.rank < len(z):
        return None
    eigenvalues = np.linalg.eigvalsh(-hessian)
    none = np.zeros((0, len(z)))
    audit = Audit(
        gradient_norm=float(np.linalg.norm(gradient)),
        decrement=float(0.5 * gradient @ information.inverse @ gradient),
        smallest_eigenvalue=float(eigenvalues[0]),
        largest_eigenvalue=float(eigenvalues[-1]),
        rank=len(z),
        size=len(z),
        starts=1,
        agree=1,
        iterations=0,
    )
    return Verdict(
        status="converged",
        z=z,
        value=float(value),
        gradient=gradient,
        hessian=hessian,
        warnings=(),
        null=none,
        run_off=none,
        covariance=information.inverse,
        irregular=none,
        audit=audit,
    )


def _across_kinks(
    problem: ExpectedProblem, kl: Callable[[Array], Array], verdict: Verdict
) -> tuple[Verdict, Information | None]:
    """The minimum of KL itself, which is smooth where its sum over nodes has kinks, and the information there."""
    functions, n = problem.functions, problem.functions.n_observations
    nodes = problem.nodes

    variances = np.diagonal(information_at(functions, nodes, problem.full(verdict.z), problem.kept).score)
    if not np.all(variances > 0):
        return verdict, None
    scale = 1 / np.sqrt(variances)
    found = smooth_minimum(lambda z: kl(problem.full(z)), verdict.z, scale)
    if found is None:
        return verdict, None
    z, hessian = found
    level = verdict.null / scale
    level /= np.linalg.norm(level, axis=1, keepdims=True)
    if np.any(np.linalg.eigvalsh(level @ (hessian * np.outer(scale, scale)) @ level.T) < _CURVED):
        return verdict, None
    score = information_at(functions, nodes, problem.full(z), problem.kept).score
    value = float(nodes.expected_log_likelihood(functions, problem.full(z)))
    warning = "The log density has a kink; J is the second difference of KL(true||model), good to about four digits."
    smooth = replace(
        verdict,
        status="converged",
        z=z,
        value=value,
        hessian=-n * hessian,
        covariance=np.linalg.inv(n * hessian),
        singular=False,
        null=np.zeros((0, len(z))),
        irregular=np.zeros((0, len(z))),
        warnings=(warning,),
    )
    return smooth, Information(hessian=hessian, score=score)


def _determined_by_far_tails(
    functions: ModelFunctions, nodes: NodeData, flat: Array, kept: Array, information: Information
) -> bool:
    """Whether K is infinite, or determined by the outermost nodes."""
    if not nodes.exact:
        return False
    far = (nodes.weights > 0) & (nodes.weights < _FAR)
    square = np.zeros(len(kept))
    with np.errstate(over="ignore"):
        for k, scores in nodes.scores(functions, flat, np.flatnonzero(np.any(far, axis=1))):
            square += nodes.weights[k][far[k]] @ scores[far[k]][:, kept] ** 2
    total = np.diagonal(information.score) * functions.n_observations
    return not np.all(np.isfinite(total)) or bool(np.any(square > _FAR_SHARE * np.abs(total)))


def information_at(
    functions: ModelFunctions, nodes: NodeData, flat: Array, kept: Array, *, random_rows: bool = False
) -> Information:
    """J and K at a parameter, for one observation.

    Parameters
    ----------
    functions, nodes
        The model's functions and the truth's nodes.
    flat
        The parameter z (d,).
    kept
        The coordinates that the likelihood contains.
    random_rows
        Whether the rows (covariates) are redrawn with the data. If not, everything is conditional on them and the
        rows' mean scores, which sum to 0 but need not vanish one by one in a wrong model, add nothing to K.
    """
    n = functions.n_observations
    _, _, hessian = nodes.hessian(functions, flat)
    outer = np.zeros((functions.size, functions.size))
    mean = np.zeros((int(nodes.row_of.max()) + 1, functions.size))
    for k, scores in nodes.scores(functions, flat, np.arange(len(nodes.weights))):
        used = nodes.weights[k] > 0
        weighted = scores[used] * nodes.weights[k][used, None]
        outer += weighted.T @ scores[used]
        np.add.at(mean, nodes.row_of[k][used], weighted)
    if not random_rows and len(mean) > 1:
        outer -= mean.T @ mean
    cut = np.ix_(kept, kept)
    return Information(hessian=-hessian[cut] / n, score=outer[cut] / n)
