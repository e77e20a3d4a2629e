"""Independent draws from the exact posteriors of the golden conjugate cases, as trees."""

import numpy as np
import xarray as xr

CHAINS, DRAWS = 4, 1000


def posterior_tree(case, model, generator, chains=CHAINS, draws=DRAWS):
    """A tree whose posterior group holds ``chains`` x ``draws`` independent draws of ``case``'s posterior."""
    arrays = {}
    values = _draw(case["posterior"], (chains, draws), generator)
    for rv in model.free_RVs:
        dims = [f"{rv.name}_dim_{i}" for i in range(values[rv.name].ndim - 2)]
        arrays[rv.name] = (("chain", "draw", *dims), values[rv.name])
    return xr.DataTree.from_dict({"posterior": xr.Dataset(arrays)})


def _draw(posterior, shape, generator):
    result = {}
    for name, spec in posterior.items():
        if name.endswith("_marginal"):
            continue
        p = spec["params"]
        match spec["dist"]:
            case "Beta":
                result[name] = generator.beta(p["alpha"], p["beta"], size=shape)
            case "Gamma":
                result[name] = generator.gamma(p["alpha"], 1 / p["beta"], size=shape)
            case "InverseGamma":
                result[name] = p["beta"] / generator.gamma(p["alpha"], size=shape)
            case "Normal":
                result[name] = generator.normal(p["mu"], p["sigma"], size=shape)
            case "Normal given sigma2":
                scale = np.sqrt(result["sigma2"] / p["k"])
                result[name] = generator.normal(p["m"], scale)
            case "Dirichlet":
                result[name] = generator.dirichlet(p["a"], size=shape)
            case "MvNormal":
                result[name] = generator.multivariate_normal(p["mu"], p["cov"], size=shape)
            case other:
                raise NotImplementedError(other)
    return result
