"""The Nile at Aswan: a level that wanders, seen through noise.

Annual volumes from 1871 to 1970. Shows the local level model: a latent level for each year, no MLE of all parameters
(the level would follow every observation), and a marginal MLE that equals the Kalman filter's.

Data: G. W. Cobb, The problem of the Nile, Biometrika 65 (1978); as in J. Durbin and S. J. Koopman, Time Series Analysis by
State Space Methods (2nd ed. 2012). Published measurements, free of rights.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from .tables import first_rows, normal_scores, simulated

VOLUMES = (
    "1120 1160 963 1210 1160 1160 813 1230 1370 1140 995 935 1110 994 1020 960 1180 799 958 1140 1100 1210 1150 1250 1260 "
    "1220 1030 1100 774 840 874 694 940 833 701 916 692 1020 1050 969 831 726 456 824 702 1120 1100 832 764 821 768 845 "
    "864 862 698 845 744 796 1040 759 781 865 845 944 984 897 822 1010 771 676 649 846 812 742 801 1040 860 874 848 890 "
    "744 749 838 1050 918 986 797 923 975 815 1020 906 901 1170 912 746 919 718 714 740"
)
YEARS = 100

TRUTH = {"step": 40.0, "sigma": 120.0, "level": 1000 + np.cumsum(40 * normal_scores(YEARS))}

BUILDERS = {
    "build": {
        "tags": "time-series hierarchical normal",
        "observations": 100,
        "parameters": 102,
        "mle": "unbounded",
        "map": "unbounded",
    },
}


def load_data() -> pd.DataFrame:
    """Years (100) and the annual volume in 10^8 m^3."""
    return pd.DataFrame({"year": range(1871, 1971), "volume": np.array(VOLUMES.split(), dtype=np.float64)})


def build(data: pd.DataFrame | None = None) -> pm.Model:
    """The level is a Gaussian random walk."""
    data = load_data() if data is None else data
    with pm.Model(coords={"year": data["year"].to_numpy()}) as model:
        step = pm.HalfNormal("step", 100)
        sigma = pm.HalfNormal("sigma", 200)
        start = pm.Normal.dist(1000, 300)
        level = pm.GaussianRandomWalk("level", sigma=step, init_dist=start, steps=len(data) - 1, dims="year")
        pm.Normal("volume", level, sigma, observed=data["volume"], dims="year")
    return model


def simulate(n: int, truth: dict[str, Any] | None = None, random_seed: Any = None) -> pd.DataFrame:
    """Volumes of ``n`` years (at most 100, whose levels are known) under ``truth``."""
    truth = TRUTH if truth is None else truth
    if not 2 <= n <= YEARS:
        raise ValueError(f"n must be between 2 and {YEARS}, got {n}.")
    return simulated(build, first_rows(load_data(), n), {**truth, "level": truth["level"][:n]}, random_seed)
