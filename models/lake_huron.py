"""The level of Lake Huron: a stationary first-order autoregression.

Ninety-eight years. Shows a likelihood of dependent rows, each conditional on the row before; a new observation is the
next year's, given this year's.

Data: annual levels 1875 to 1972; as in P. J. Brockwell and R. A. Davis, Time Series: Theory and Methods (2nd ed. 1991),
series A; the table of R. Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

# Hundredths of a foot above 570 feet.
LEVELS = (
    "1038 1186 1097 1080 979 1039 1042 1082 1140 1132 1144 1168 1117 1053 1001 991 914 916 955 967 844 824 910 909 935 "
    "882 932 901 900 980 983 972 989 1001 937 869 819 867 955 892 809 937 1013 1014 951 924 866 886 805 779 675 675 782 "
    "864 1058 948 738 690 694 624 684 685 690 779 818 751 723 842 961 905 926 922 938 910 795 812 975 1085 1041 996 961 "
    "876 818 721 713 910 825 791 689 596 680 768 838 852 974 931 989 996"
)

TRUTH = {"mu": 579.0, "rho": 0.84, "sigma": 0.7}

BUILDERS = {
    "build": {
        "tags": "time-series normal",
        "observations": 98,
        "parameters": 3,
        "mle": "converged",
        "map": "converged",
    },
}


def load_data() -> pd.DataFrame:
    """Years (98) and the lake's level in feet."""
    level = 570 + np.array(LEVELS.split(), dtype=np.float64) / 100
    return pd.DataFrame({"year": np.arange(1875, 1875 + len(level)), "level": level})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """The first year from the stationary distribution, every other given the one before."""
    data = load_data() if data is None else data
    level = data["level"].to_numpy()
    first = np.arange(len(level)) == 0
    with pm.Model(coords={"year": data["year"].to_numpy()}) as model:
        mu = pm.Normal("mu", 579, 5)
        rho = pm.Uniform("rho", -1, 1)
        sigma = pm.HalfNormal("sigma", 2)
        mean = mu + pm.math.where(first, 0, rho * (np.roll(level, 1) - mu))
        deviation = pm.math.where(first, sigma / pm.math.sqrt(1 - rho**2), sigma)
        pm.Normal("level", mean, deviation, observed=level, dims="year")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """``n`` years from 1875 under ``truth``."""
    truth = TRUTH if truth is None else truth
    noise = np.random.default_rng(random_seed).normal(0, truth["sigma"], size=n)
    level = [truth["mu"] + noise[0] / np.sqrt(1 - truth["rho"] ** 2)]
    for shock in noise[1:]:
        level.append(truth["mu"] + truth["rho"] * (level[-1] - truth["mu"]) + shock)
    return pd.DataFrame({"year": np.arange(1875, 1875 + n), "level": level})
