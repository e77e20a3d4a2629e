"""Divergences between two mixtures over draws as integrals; the first mixture may be a single distribution."""

from dataclasses import replace

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.integration.quadrature_nodes import Nodes
from pp_mlekl.divergences.monte_carlo import tail_shape
from pp_mlekl.divergences.predictive.mixture import MixtureValues, mixture_values
from pp_mlekl.divergences.predictive.nodes import CommonNodes, mixture_sample, scouts
from pp_mlekl.divergences.predictive.wasserstein import NO_MEAN, NO_VARIANCE, distance_and_slope, tail_growth
from pp_mlekl.typing import Array

QUANTITIES = ("kl", "kl_reverse", "jsd", "wasserstein")

Parts = dict[str, Array]


def on_own_nodes(p: Distribution, q: Distribution, nodes: Nodes) -> Parts:
    """KL(p||mixture) on the nodes of a single ``p`` of batch shape (rows,)."""
    mixture = mixture_values(q, nodes.points)
    log_p = p.log_density(nodes.points)
    whole = nodes.mean(log_p - mixture.log_mean)
    bias = _bias(whole, [nodes.mean(log_p - half) for half in mixture.log_halves])
    with np.errstate(invalid="ignore"):
        error = nodes.standard_error(log_p - mixture.log_mean)
    ratio = np.where(nodes.weights > 0, nodes.weights, 0.0)
    return {
        "kl": whole - bias,
        "kl_bias": bias,
        "kl_influence": np.sum(nodes.weights, axis=0) - mixture.sum_over_nodes(ratio),
        "kl_node_error": error,
    }


def on_common_nodes(p: Distribution, q: Distribution, nodes: CommonNodes) -> Parts:
    """All divergences as integrals over common nodes; ``p`` has batch shape (1 or draws, rows)."""
    at_p, at_q = mixture_values(p, nodes.points), mixture_values(q, nodes.points)
    whole = _integrals(at_p.log_mean, at_q.log_mean, nodes)
    error = _error_of_panels(at_p.log_mean, at_q.log_mean, nodes, whole)
    halves = [_integrals(a, b, nodes) for a, b in zip(at_p.log_halves, at_q.log_halves, strict=True)]
    result: Parts = {}
    for name in QUANTITIES:
        bias = _bias(whole[name], [half[name] for half in halves])
        result[name] = whole[name] - bias
        result[f"{name}_node_error"] = error[name]
        if name == "kl":
            result["kl_bias"] = bias
            result["kl_tail_shape"] = np.full(bias.shape, -np.inf)
    result["wasserstein"] = _where_known(p, q, nodes, result["wasserstein"])
    return result | _influences(at_p, at_q, nodes)


def _error_of_panels(log_p: Array, log_q: Array, nodes: CommonNodes, whole: Parts) -> Parts:
    """The difference from a rule of lower degree where panels represent integers; 0 elsewhere."""
    if nodes.panels is None:
        return {name: np.zeros_like(value) for name, value in whole.items()}
    lower = replace(nodes, measure=nodes.panels.lower_weights.reshape(nodes.points.shape))
    with np.errstate(invalid="ignore"):
        found = {name: np.abs(value - whole[name]) for name, value in _integrals(log_p, log_q, lower).items()}
    one = np.where(nodes.measure > 0, 1.0, 0.0)
    found["wasserstein"] += distance_and_slope(nodes, _mass(log_q, one) - _mass(log_p, one)).error
    return {name: np.where(np.isfinite(value), value, 0.0) for name, value in found.items()}


def _where_known(p: Distribution, q: Distribution, nodes: CommonNodes, value: Array) -> Array:
    """Infinite where either has no mean; NaN where either has no variance, since the nodes end too early for such tails."""
    if nodes.discrete:
        return value
    growth = np.max(np.concatenate([tail_growth(scouts(p)), tail_growth(scouts(q))]), axis=0)
    return np.where(growth >= NO_MEAN, np.inf, np.where(growth > NO_VARIANCE, np.nan, value))


def _bias(whole: Array, halves: list[Array]) -> Array:
    """The bias of an estimate, which falls as one over the number of draws and is therefore twice as large for halves."""
    with np.errstate(invalid="ignore"):
        bias = 0.5 * (halves[0] + halves[1]) - whole
    return np.where(np.isfinite(bias), bias, 0.0)


def _mass(log_density: Array, measure: Array) -> Array:
    """Density times measure; 0 where the measure is, and at an end of the support where the density is infinite."""
    counts = (measure > 0) & (log_density < np.inf)
    return np.where(counts, np.exp(np.where(counts, log_density, 0.0)) * measure, 0.0)


def _ratios(log_p: Array, log_q: Array) -> tuple[Array, Array, Array]:
    """log p/q, log p/m and log q/m with m the even mixture."""
    middle = np.logaddexp(log_p, log_q) - np.log(2)
    with np.errstate(invalid="ignore"):
        return log_p - log_q, log_p - middle, log_q - middle


def _integrals(log_p: Array, log_q: Array, nodes: CommonNodes) -> Parts:
    of_p, of_q = _mass(log_p, nodes.measure), _mass(log_q, nodes.measure)
    to_q, p_to_middle, q_to_middle = _ratios(log_p, log_q)
    one = np.where(nodes.measure > 0, 1.0, 0.0)
    from_middle = of_p * np.where(of_p > 0, p_to_middle, 0.0) + of_q * np.where(of_q > 0, q_to_middle, 0.0)
    return {
        "kl": np.sum(of_p * np.where(of_p > 0, to_q, 0.0), axis=0),
        "kl_reverse": np.sum(of_q * np.where(of_q > 0, -to_q, 0.0), axis=0),
        "jsd": 0.5 * np.sum(from_middle, axis=0),
        "wasserstein": distance_and_slope(nodes, _mass(log_q, one) - _mass(log_p, one)).distance,
    }


def _influences(at_p: MixtureValues, at_q: MixtureValues, nodes: CommonNodes) -> Parts:
    """The derivative of each functional in the direction of one draw's two densities, centred."""
    of_p, of_q = _mass(at_p.log_mean, nodes.measure), _mass(at_q.log_mean, nodes.measure)
    to_q, p_to_middle, q_to_middle = _ratios(at_p.log_mean, at_q.log_mean)
    finite = np.where((of_p > 0) | (of_q > 0), to_q, 0.0)
    finite = np.where(np.isfinite(finite), finite, 0.0)
    one = np.where(nodes.measure > 0, 1.0, 0.0)
    slope = distance_and_slope(nodes, _mass(at_q.log_mean, one) - _mass(at_p.log_mean, one)).slope
    weights = {
        "kl": (of_p * finite, -of_p),
        "kl_reverse": (-of_q, -of_q * finite),
        "jsd": (0.5 * of_p * np.where(of_p > 0, p_to_middle, 0.0), 0.5 * of_q * np.where(of_q > 0, q_to_middle, 0.0)),
        "wasserstein": (-of_p * slope, of_q * slope),
    }
    return {
        f"{name}_influence": at_p.centred_sum(for_p) + at_q.centred_sum(for_q)
        for name, (for_p, for_q) in weights.items()
    }


def by_sampling(
    p: Distribution, q: Distribution, size: int, generator: np.random.Generator, *, reverse: bool = True
) -> Parts:
    """All divergences from draws of both; ``p`` has batch shape (1 or draws, rows).

    Without ``reverse`` nothing is drawn from ``q``, and all but KL(p||q) is NaN.
    """
    x = mixture_sample(p, size, generator)
    p_x, q_x = mixture_values(p, x), mixture_values(q, x)
    forward = _forward(p_x, q_x, single=p.batch_shape[0] == 1)
    draws = max(p.batch_shape[0], q.batch_shape[0])
    if not reverse:
        nothing = np.full((draws, x.shape[1]), np.nan)
        return forward | {
            name: nothing if name.endswith("influence") else nothing[0]
            for quantity in QUANTITIES[1:]
            for name in (quantity, f"{quantity}_influence", f"{quantity}_node_error")
        }
    y = mixture_sample(q, size, generator)
    p_y, q_y = mixture_values(p, y), mixture_values(q, y)
    at_x, at_y = _ratios(p_x.log_mean, q_x.log_mean), _ratios(p_y.log_mean, q_y.log_mean)
    nothing = np.full((draws, x.shape[1]), np.nan)
    with np.errstate(invalid="ignore"):
        errors = [np.std(v, axis=0, ddof=1) / np.sqrt(size) for v in (at_y[0], at_x[1], at_y[2])]
    return forward | {
        "kl_reverse": np.mean(-at_y[0], axis=0),
        "kl_reverse_influence": -p_y.centred_sum(np.full(at_y[0].shape, 1 / size))
        - q_y.centred_sum(_finite(at_y[0]) / size),
        "kl_reverse_node_error": errors[0],
        "jsd": 0.5 * (np.mean(at_x[1], axis=0) + np.mean(at_y[2], axis=0)),
        "jsd_influence": 0.5 * (p_x.centred_sum(at_x[1] / size) + q_y.centred_sum(at_y[2] / size)),
        "jsd_node_error": 0.5 * np.hypot(errors[1], errors[2]),
        "wasserstein": nothing[0],
        "wasserstein_influence": nothing,
        "wasserstein_node_error": nothing[0],
    }


def _forward(p_x: MixtureValues, q_x: MixtureValues, *, single: bool) -> Parts:
    """KL(p||q) from values at draws of p."""
    ratio = _ratios(p_x.log_mean, q_x.log_mean)[0]
    size = len(ratio)
    halves = [np.mean(a - b, axis=0) for a, b in zip(p_x.log_halves, q_x.log_halves, strict=True)]
    value = np.mean(ratio, axis=0)
    # With one p only the density under the logarithm is a mean over draws, so halves show its bias.
    bias = _bias(value, halves) if single else np.zeros_like(value)
    with np.errstate(invalid="ignore"):
        error = np.std(ratio, axis=0, ddof=1) / np.sqrt(size)
    return {
        "kl": value - bias,
        "kl_bias": bias,
        "kl_influence": p_x.centred_sum(_finite(ratio) / size) - q_x.centred_sum(np.full(ratio.shape, 1 / size)),
        "kl_node_error": error,
        "kl_tail_shape": np.array([tail_shape(column) for column in ratio.T]),
    }


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)
