"""Step 7: KL is asymmetric; both directions, Jensen-Shannon and Wasserstein compared."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from scipy import optimize

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.integration.quadrature_nodes import expectation_nodes
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.divergences.wasserstein import wasserstein_distance
from pp_mlekl.theorem.proof_result import Check, Step
from pp_mlekl.theorem.setting import DIVERGENCE_ACCURACY
from pp_mlekl.typing import Array

# A mixture of two separated normals, approximated by one normal: the textbook example of the two directions.
_MIXTURE: dict[str, Any] = {"w": np.array([0.4, 0.6]), "mu": np.array([-3.0, 2.5]), "sigma": np.array([0.7, 1.0])}


@cache
def directions() -> Step:
    """Approximate a two-component mixture by one normal in both directions of KL; compare symmetric and finite distances."""
    truth = family("NormalMixture")(**_MIXTURE)
    mean = float(_MIXTURE["w"] @ _MIXTURE["mu"])
    spread = float(np.sqrt(_MIXTURE["w"] @ (_MIXTURE["sigma"] ** 2 + _MIXTURE["mu"] ** 2) - mean**2))
    forward = _minimiser(_from_truth(truth), (0.0, 1.0))
    reverse = _minimiser(_to_truth(truth), (2.5, 0.0))
    covering, seeking = _normal(forward), _normal(reverse)
    checks = (
        _equal("mean of the minimiser of KL(true||normal) against the mean of the truth", forward[0], mean),
        _equal("its standard deviation against that of the truth", float(np.exp(forward[1])), spread),
        Check(
            what="standard deviation of the minimiser of KL(normal||true) against that of KL(true||normal): it covers one component",
            left=float(np.exp(reverse[1])),
            right=float(np.exp(forward[1])),
            error=0.0,
            source="both minimisers, to 1e-4",
            bound=True,
        ),
        *_symmetry(truth, covering),
        *_disjoint(),
    )
    return Step(
        number=7,
        title="KL is asymmetric and can be infinite",
        claim="The minimiser of KL(true||model) covers the truth; the minimiser of KL(model||true) covers one mode. Jensen-Shannon "
        "is symmetric and at most ln 2. The Wasserstein distance is finite for disjoint supports.",
        checks=checks,
        data=_plot_data(truth, covering, seeking),
        note="Maximum likelihood minimises the first direction.",
    )


def _normal(z: Any) -> Distribution:
    return family("Normal")(mu=z[0], sigma=np.exp(z[1]))


def _from_truth(truth: Distribution) -> Callable[[Array], float]:
    """KL(true||normal) on fixed nodes of the truth: smooth in the parameters and cheaper than an adaptive rule."""
    nodes = expectation_nodes(truth, np.random.default_rng(0), deep=False)
    log_p = truth.log_density(nodes.points)
    return lambda z: float(nodes.mean(log_p - _normal(z).log_density(nodes.points)))


def _to_truth(truth: Distribution) -> Callable[[Array], float]:
    """KL(normal||true) on the nodes of a standard normal, shifted and scaled."""
    nodes = expectation_nodes(_normal((0.0, 0.0)), np.random.default_rng(0), deep=False)

    def divergence(z: Array) -> float:
        points = z[0] + np.exp(z[1]) * nodes.points
        return float(nodes.mean(_normal(z).log_density(points) - truth.log_density(points)))

    return divergence


def _minimiser(divergence: Callable[[Array], float], start: tuple[float, float]) -> Array:
    result = optimize.minimize(
        divergence, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-14, "maxfev": 1000}
    )
    return result.x


def _equal(what: str, left: float, right: float) -> Check:
    # A relative error e of the minimum allows a relative error of about sqrt(2 e) in its location.
    error = float(np.sqrt(2 * DIVERGENCE_ACCURACY) * max(1.0, abs(right)))
    return Check(what=what, left=left, right=right, error=error, source="accuracy of the divergence at a minimum")


def _symmetry(p: Distribution, q: Distribution) -> tuple[Check, ...]:
    ways = float(kl_divergence(p, q)), float(kl_divergence(q, p))
    js = float(js_divergence(p, q)), float(js_divergence(q, p))
    smaller, larger = sorted(ways)
    return (
        Check(
            what="smaller against larger of KL(true||normal) and KL(normal||true): they differ",
            left=smaller,
            right=larger,
            error=-DIVERGENCE_ACCURACY * larger,
            source="accuracy of the divergence functions, which the difference must exceed",
            bound=True,
        ),
        Check(
            what="Jensen-Shannon in both directions",
            left=js[0],
            right=js[1],
            error=2 * DIVERGENCE_ACCURACY * js[0],
            source="accuracy of the divergence functions",
        ),
        Check(
            what="Jensen-Shannon against ln 2",
            left=js[0],
            right=float(np.log(2)),
            error=DIVERGENCE_ACCURACY,
            source="accuracy of the divergence functions",
            bound=True,
        ),
    )


def _disjoint() -> tuple[Check, ...]:
    left, right = family("Uniform")(lower=0.0, upper=1.0), family("Uniform")(lower=5.0, upper=6.0)
    return (
        Check(
            what="KL(Uniform(0, 1)||Uniform(5, 6)): disjoint supports",
            left=float(kl_divergence(left, right)),
            right=np.inf,
            error=0.0,
            source="exact",
        ),
        Check(
            what="Jensen-Shannon of the same two: its maximum, ln 2",
            left=float(js_divergence(left, right)),
            right=float(np.log(2)),
            error=DIVERGENCE_ACCURACY,
            source="accuracy of the divergence functions",
        ),
        Check(
            what="Wasserstein distance of the same two: the shift",
            left=float(wasserstein_distance(left, right)),
            right=5.0,
            error=5 * DIVERGENCE_ACCURACY,
            source="accuracy of the divergence functions",
        ),
    )


def _plot_data(truth: Distribution, covering: Distribution, seeking: Distribution) -> xr.Dataset:
    x = np.linspace(-8, 8, 321)
    shift = np.linspace(0.0, 3.0, 61)
    moved = family("Uniform")(lower=shift, upper=shift + 1)
    still = family("Uniform")(lower=np.zeros(61), upper=np.ones(61))
    return xr.Dataset(
        {
            "truth": ("x", np.exp(truth.log_density(x))),
            "covering": ("x", np.exp(covering.log_density(x))),
            "seeking": ("x", np.exp(seeking.log_density(x))),
            "kl": ("shift", np.asarray(kl_divergence(still, moved).value)),
            "jsd": ("shift", np.asarray(js_divergence(still, moved).value)),
            "wasserstein": ("shift", np.asarray(wasserstein_distance(still, moved).value)),
        },
        coords={"x": x, "shift": shift},
    )
