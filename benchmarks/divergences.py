"""Speed and accuracy of the divergences against what else there is; every figure is a ratio within this run.

Run ``python benchmarks/divergences.py``. The comparison with infomeasure is made where it is installed.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy import integrate, stats

import pp_mlekl as mk

SEED = 1


def seconds(function: Callable[[], Any], repeats: int = 5) -> float:
    """The fastest of several runs, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def report(name: str, ratio: float, bound: float, detail: str) -> None:
    verdict = "met" if ratio <= bound else "MISSED"
    print(f"{name}: ratio {ratio:.3g} (at most {bound:g}: {verdict}); {detail}")


def million_normal_pairs() -> None:
    generator = np.random.default_rng(SEED)
    mu, sigma = generator.normal(size=(2, 1_000_000)), generator.uniform(0.5, 2.0, size=(2, 1_000_000))

    def plain() -> np.ndarray:
        ratio = (sigma[0] / sigma[1]) ** 2
        return (ratio - 1 - np.log(ratio) + ((mu[0] - mu[1]) / sigma[1]) ** 2) / 2

    def ours() -> np.ndarray:
        return mk.kl_divergence(
            mk.distribution("Normal", mu[0], sigma[0]), mk.distribution("Normal", mu[1], sigma[1])
        ).value

    np.testing.assert_allclose(ours(), plain(), rtol=1e-6, atol=1e-12)
    a, b = seconds(ours), seconds(plain)
    report("a million normal pairs / the plain expression", a / b, 3, f"{1e3 * a:.0f} ms and {1e3 * b:.0f} ms")


def thousand_numerical_pairs() -> None:
    generator = np.random.default_rng(SEED)
    mu, sigma, alpha, beta = generator.uniform(0.5, 2.0, size=(4, 1000))

    def ours() -> np.ndarray:
        # Gamma||LogNormal itself has a closed form here; a half-Student t has none.
        result = mk.kl_divergence(mk.distribution("Gamma", alpha, beta), mk.distribution("HalfStudentT", mu + 2, sigma))
        if result.method == "closed form":
            raise RuntimeError("The pair has a closed form by now; time another.")
        return result.value

    def by_quad(count: int) -> np.ndarray:
        found = []
        for i in range(count):
            p, t = stats.gamma(alpha[i], scale=1 / beta[i]), stats.t(mu[i] + 2, scale=sigma[i])
            found.append(
                integrate.quad(lambda x, p=p, t=t: p.pdf(x) * (p.logpdf(x) - t.logpdf(x) - np.log(2)), 1e-12, 80)[0]
            )
        return np.array(found)

    count = 20
    np.testing.assert_allclose(ours()[:count], by_quad(count), rtol=1e-4, atol=1e-6)
    a, b = seconds(ours, 3), seconds(lambda: by_quad(count), 1) * 1000 / count
    report("a thousand numerical pairs / a loop of quad", a / b, 1 / 50, f"{a:.2f} s and {b:.0f} s")


def ten_thousand_draws() -> None:
    generator = np.random.default_rng(SEED)
    x, y = generator.normal(size=(10_000, 5)), generator.normal(0.3, 1.0, size=(10_000, 5))
    ours = seconds(lambda: mk.kl_divergence(x, y, random_seed=1))
    if find_spec("infomeasure") is None:
        print(f"10,000 against 10,000 draws in 5-D: {ours:.2f} s (infomeasure is not installed)")
        return
    import infomeasure

    theirs = seconds(lambda: infomeasure.kullback_leiber_divergence(x, y, approach="metric"))
    report("10,000 draws in 5-D / infomeasure", ours / theirs, 1, f"{ours:.2f} s and {theirs:.2f} s")


def accuracy_from_draws() -> None:
    from arviz_stats.base import array_stats  # noqa: F401
    from arviz_stats.metrics import kl_divergence as theirs

    n, d, replicates = 10_000, 5, 24
    for name, (draw, exact, bound) in _targets(n, d).items():
        generator, errors = np.random.default_rng(SEED), []
        for i in range(replicates):
            x, y = draw(generator)
            by_us = float(mk.kl_divergence(x, y, random_seed=i))
            errors.append([v - exact for v in (by_us, _by_arviz(theirs, x, y), _by_fitted_normals(x, y))])
        a, b, floor = np.sqrt(np.mean(np.square(errors), axis=0))
        detail = f"{a:.4f} and {b:.4f} nats"
        if "normal" in name:
            detail += f"; fitted normals, which no estimate beats here: {floor:.4f}, ratio {floor / b:.3g}"
        report(f"RMSE in 5-D, {name} / ArviZ", a / b, bound, detail)


def _targets(n: int, d: int) -> dict[str, tuple[Callable, float, float]]:
    """By name: draws of both sides, the exact divergence, the ratio to be met."""
    chol = np.linalg.cholesky(0.5 * np.eye(d) + 0.5)
    log_determinant = 2 * np.sum(np.log(np.diagonal(chol)))
    inverse = np.linalg.inv(chol @ chol.T)
    return {
        "correlated normal against independent": (
            lambda g: (g.normal(size=(n, d)) @ chol.T, g.normal(size=(n, d))),
            -0.5 * log_determinant,
            1 / 3,
        ),
        "independent normal against correlated": (
            lambda g: (g.normal(size=(n, d)), g.normal(size=(n, d)) @ chol.T),
            0.5 * (np.trace(inverse) - d + log_determinant),
            1 / 3,
        ),
        "shifted normal": (lambda g: (g.normal(size=(n, d)), g.normal(0.3, 1.0, size=(n, d))), 0.045 * d, 1 / 3),
        "skewed": (
            lambda g: (g.gamma(2.0, size=(n, d)), np.exp(0.7 * g.normal(size=(n, d)))),
            d * float(mk.kl_divergence("Gamma(2, 1)", "LogNormal(0, 0.7)")),
            1.0,
        ),
        "heavy-tailed": (
            lambda g: (g.standard_t(5, size=(n, d)), g.normal(0, 1.3, size=(n, d))),
            d * float(mk.kl_divergence("StudentT(5, 0, 1)", "Normal(0, 1.3)")),
            1.0,
        ),
    }


def _by_fitted_normals(x: np.ndarray, y: np.ndarray) -> float:
    fitted = [mk.distribution("MvNormal", v.mean(axis=0), np.cov(v.T)) for v in (x, y)]
    return float(mk.kl_divergence(*fitted))


def _by_arviz(function: Callable, x: np.ndarray, y: np.ndarray) -> float:
    import arviz as az

    return float(function(az.from_dict({"posterior": {"x": x[None]}}), az.from_dict({"posterior": {"x": y[None]}})))


def scalar_from_pymc() -> None:
    import pymc as pm

    p, q = pm.Normal.dist(0, 1), pm.Normal.dist(1, 2)
    calls = 200
    time_of_all = seconds(lambda: [float(mk.kl_divergence(p, q)) for _ in range(calls)])
    report(
        "a scalar closed form from PyMC / 1 ms", time_of_all / calls / 1e-3, 1, f"{1e3 * time_of_all / calls:.2f} ms"
    )


def main() -> None:
    million_normal_pairs()
    thousand_numerical_pairs()
    scalar_from_pymc()
    ten_thousand_draws()
    accuracy_from_draws()


if __name__ == "__main__":
    main()
