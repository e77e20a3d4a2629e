"""Mean KL(true||fitted) of MLE, MAP and posterior predictive: ``python benchmarks/fits.py`` prints a table of docs/choosing.md.

The models are conjugate, so that all three fits are known exactly and nothing is sampled but the data sets.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import pp_mlekl as mk

SIZES = (5, 20, 100)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A conjugate model: the truth, and from the mean of n observations the three fits."""

    truth: object
    mean: Callable[[np.random.Generator, int, int], np.ndarray]
    fits: Callable[[np.ndarray, int], dict[str, object]]


def bernoulli(p: float) -> Case:
    """Uniform prior; the MAP is the MLE, and the posterior predictive is Laplace's rule of succession."""
    return Case(
        truth=mk.distribution("Bernoulli", p),
        mean=lambda generator, n, replicates: generator.binomial(n, p, replicates) / n,
        fits=lambda mean, n: {
            "MLE": mk.distribution("Bernoulli", mean),
            "MAP": mk.distribution("Bernoulli", mean),
            "posterior predictive": mk.distribution("Bernoulli", (n * mean + 1) / (n + 2)),
        },
    )


def poisson(rate: float) -> Case:
    """Gamma prior with shape 2 and rate 0.5; the posterior predictive is negative binomial."""
    return Case(
        truth=mk.distribution("Poisson", rate),
        mean=lambda generator, n, replicates: generator.poisson(n * rate, replicates) / n,
        fits=lambda mean, n: {
            "MLE": mk.distribution("Poisson", mean),
            "MAP": mk.distribution("Poisson", (n * mean + 1) / (n + 0.5)),
            "posterior predictive": mk.distribution(
                "NegativeBinomial", n=n * mean + 2, p=np.full_like(mean, (n + 0.5) / (n + 1.5))
            ),
        },
    )


def normal(mu: float) -> Case:
    """Known standard deviation 1 and a standard normal prior of the mean."""

    def fits(mean: np.ndarray, n: int) -> dict[str, object]:
        shrunk = n * mean / (n + 1)
        wider = np.full_like(mean, np.sqrt(1 + 1 / (n + 1)))
        return {
            "MLE": mk.distribution("Normal", mean, np.ones_like(mean)),
            "MAP": mk.distribution("Normal", shrunk, np.ones_like(mean)),
            "posterior predictive": mk.distribution("Normal", shrunk, wider),
        }

    return Case(
        truth=mk.distribution("Normal", mu, 1.0),
        mean=lambda generator, n, replicates: generator.normal(mu, 1 / np.sqrt(n), replicates),
        fits=fits,
    )


CASES = {
    "Bernoulli, p = 0.5": bernoulli(0.5),
    "Bernoulli, p = 0.05": bernoulli(0.05),
    "Poisson, rate 3": poisson(3.0),
    "Poisson, rate 0.3": poisson(0.3),
    "normal, mean at the prior's centre": normal(0.0),
    "normal, mean at 3 prior standard deviations": normal(3.0),
}


def main() -> None:
    """Print a row for each model and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=4000)
    replicates = parser.parse_args().replicates
    print("| truth | n | MLE | MAP | posterior predictive | infinite for the MLE |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, case in CASES.items():
        for n in SIZES:
            mean = case.mean(np.random.default_rng(n), n, replicates)
            cells, infinite = [], 0.0
            for fit, distribution in case.fits(mean, n).items():
                value = np.asarray(mk.kl_divergence(case.truth, distribution).value)
                finite = np.isfinite(value)
                infinite = 1 - finite.mean() if fit == "MLE" else infinite
                error = n * value[finite].std() / np.sqrt(finite.sum())
                cells.append(f"{n * value[finite].mean():.2f} ± {error:.2f}")
            print(f"| {name} | {n} | {' | '.join(cells)} | {infinite:.1%} |")


if __name__ == "__main__":
    main()
