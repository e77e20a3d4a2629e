"""Steps 1 and 2: KL and cross-entropy differ by a constant, so both are minimised where E[log q] is maximised."""

import numpy as np
import xarray as xr
from scipy import optimize

from pp_mlekl.divergences.families.binary import Bernoulli, Binomial
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions
from pp_mlekl.theorem.proof_result import Check, Step
from pp_mlekl.theorem.setting import DIVERGENCE_ACCURACY, STANDARD_ERRORS, Setting
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

# Step of the central difference quotients, in standard deviations of one observation.
_DIFFERENCE = 1e-4


def constant_difference(setting: Setting) -> Step:
    """Step 1: KL(p||q) = H(p, q) - H(p) at every parameter, by two computations that share only the density."""
    z = np.concatenate([setting.curve, setting.cloud])
    kl, mcse, closed = setting.kl(z)
    cross = setting.cross_entropy(z)
    finite = np.isfinite(kl) & np.isfinite(cross)
    gaps = np.abs(kl - (cross - setting.entropy))
    error = _error(setting, z, kl, cross, mcse, closed)
    worst = int(np.argmax(np.where(finite, gaps / error, -np.inf)))
    check = Check(
        what=f"KL against cross-entropy minus entropy, worst of {counted(int(finite.sum()), 'parameter value')}",
        left=float(kl[worst]),
        right=float(cross[worst] - setting.entropy),
        error=float(error[worst]),
        source="difference of two quadrature rules, rounding, and the accuracy of the divergence functions",
    )
    n = len(setting.curve)
    data = xr.Dataset(
        {"kl": ("theta", kl[:n]), "cross_entropy": ("theta", cross[:n])},
        coords={"theta": setting.curve_values},
        attrs={"entropy": setting.entropy, "parameter": setting.label, "pseudo_true": _pseudo_true_value(setting)},
    )
    return Step(
        number=1,
        title="KL is cross-entropy minus a constant",
        claim="The divergence from the truth and the cross-entropy differ by the entropy of the truth, "
        "which does not depend on the parameter.",
        checks=(check,),
        data=data,
    )


def _pseudo_true_value(setting: Setting) -> float:
    index = int(setting.pseudo_true.problem.natural_kept[0])
    return float(setting.functions.natural_flat(setting.pseudo_true.flat)[index])


def _error(setting: Setting, z: Array, kl: Array, cross: Array, mcse: Array, closed: bool) -> Array:
    nodes = setting.pseudo_true.problem.nodes
    if nodes.exact:
        rules = np.abs(setting.cross_entropy(z, setting.coarse) - cross)
    else:
        rules = STANDARD_ERRORS * sampling_error(setting, z)
    engine = np.zeros(len(z)) if closed else DIVERGENCE_ACCURACY * np.abs(kl)
    size = np.abs(cross) + abs(setting.entropy) + np.abs(kl)
    rounding = np.array([setting.rounding(s) for s in size])
    return rules + engine + rounding + _complement_error(setting, z) + STANDARD_ERRORS * mcse


def _complement_error(setting: Setting, z: Array) -> Array:
    """Error from computing a Bernoulli's 1 - p from p: eps relative to 1 - p."""
    total = np.zeros(len(z))
    fitted = observed_distributions(setting.functions, z)
    for name, p in setting.truth.distributions.items():
        q = fitted[name]
        if isinstance(p, Bernoulli | Binomial) and isinstance(q, Bernoulli | Binomial):
            trials = np.asarray(getattr(p, "n", 1.0))
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = trials * np.where(p.p < 1, (1 - p.p) / (1 - q.p), 0.0)
            total += np.finfo(float).eps * ratio.reshape(len(z), -1).sum(axis=1)
    return total / setting.rows


def sampling_error(setting: Setting, z: Array) -> Array:
    """Standard error of the expected log-likelihood if the nodes of the truth are a random sample."""
    nodes = setting.pseudo_true.problem.nodes
    terms = setting.functions.pointwise(z[:, None], data=nodes.data) * nodes.weights
    per_node = terms.sum(axis=-1) if nodes.weights.shape[0] > 1 else terms[:, 0]
    k = per_node.shape[1]
    return np.std(per_node, axis=1, ddof=1) * np.sqrt(k) / setting.rows


def one_minimiser(setting: Setting) -> Step:
    """Step 2: the minimiser of KL is the maximiser of the expected log-likelihood."""
    pseudo_true, information = setting.pseudo_true, setting.pseudo_true.information
    assert information is not None
    found, gradient = _minimise_kl(setting)
    kept = pseudo_true.problem.kept
    step = found[kept] - pseudo_true.flat[kept]
    distance = float(np.sqrt(step @ information.hessian @ step))
    kl, mcse, closed = setting.kl(np.stack([found, pseudo_true.flat]))
    own = float(
        _error(
            setting, pseudo_true.flat[None], kl[1:], setting.cross_entropy(pseudo_true.flat[None]), mcse[1:], closed
        )[0]
    )
    remaining = float(np.sqrt(gradient @ information.inverse @ gradient))
    height = Check(
        what="minimum of KL found by direct minimisation against KL at the maximiser of E[log q]",
        left=float(kl[0]),
        right=float(kl[1]),
        error=own + 0.5 * remaining**2,
        source="accuracy of both computations, and the remaining gradient of the minimisation",
    )
    place = Check(
        what="distance between the minimisers, in standard deviations of one observation",
        left=distance,
        right=0.0,
        error=float(np.sqrt(2 * own)) + remaining + _DIFFERENCE**2,
        source="an error e of the minimum allows an error sqrt(2 e) of its location; step of the difference quotient",
    )
    curve_kl, _, _ = setting.kl(setting.curve)
    cross = setting.cross_entropy(setting.curve)
    data = xr.Dataset(
        {"kl": ("theta", curve_kl), "expected_log_likelihood": ("theta", -cross)},
        coords={"theta": setting.curve_values},
        attrs={"parameter": setting.label, "pseudo_true": _pseudo_true_value(setting), "kl_min": float(kl[1])},
    )
    return Step(
        number=2,
        title="Both problems have the same solution",
        claim="The parameter that minimises KL is the one that minimises the cross-entropy and the one that maximises "
        "the expected log-likelihood.",
        checks=(height, place),
        data=data,
    )


def _minimise_kl(setting: Setting) -> tuple[Array, Array]:
    """Minimise KL by difference quotients from a random start; return the minimiser and the remaining gradient."""
    pseudo_true = setting.pseudo_true
    kept = pseudo_true.problem.kept
    scale = 1 / np.sqrt(np.diagonal(pseudo_true.information.hessian))  # type: ignore[union-attr]
    step = _DIFFERENCE

    def points(x: Array) -> Array:
        moves = np.concatenate([np.zeros((1, len(kept))), step * np.eye(len(kept)), -step * np.eye(len(kept))])
        z = np.repeat(pseudo_true.flat[None], len(moves), axis=0)
        z[:, kept] += (x + moves) * scale
        return z

    def value_and_gradient(x: Array) -> tuple[float, Array]:
        values, _, _ = setting.kl(points(x))
        k = len(kept)
        gradient = (values[1 : k + 1] - values[k + 1 :]) / (2 * step)
        return (float(values[0]), gradient) if np.isfinite(values).all() else (1e6, np.zeros(k))

    start = setting.generator.uniform(-0.5, 0.5, size=len(kept)) / np.sqrt(len(kept))
    result = optimize.minimize(value_and_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    z = pseudo_true.flat.copy()
    z[kept] += result.x * scale
    return z, result.jac / scale
