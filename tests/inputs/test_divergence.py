"""The public divergences: every kind of input, golden values, labels, bases, refusals."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within
from scipy import stats

import pp_mlekl as mk

EXACT = np.log(2) + (1 + 1) / 8 - 0.5

NORMALS = {
    "PyMC": (lambda: pm.Normal.dist(0, 1), lambda: pm.Normal.dist(1, 2)),
    "SciPy": (lambda: stats.norm(0, 1), lambda: stats.norm(1, 2)),
    "text": (lambda: "Normal(0, 1)", lambda: "Normal(1, 2)"),
    "by name": (lambda: mk.distribution("Normal"), lambda: mk.distribution("Normal", 1, sigma=2)),
}


@pytest.mark.parametrize("p", NORMALS)
@pytest.mark.parametrize("q", NORMALS)
def test_inputs_mix(p, q):
    estimate = mk.kl_divergence(NORMALS[p][0](), NORMALS[q][1]())
    assert float(estimate) == pytest.approx(EXACT, rel=1e-14)
    assert (estimate.mcse, estimate.method, estimate.direction, estimate.unit) == (
        0.0,
        "closed form",
        "KL(P||Q)",
        "nats",
    )


def test_preliz_is_read():
    preliz = pytest.importorskip("preliz")
    assert float(mk.kl_divergence(preliz.Normal(0, 1), preliz.Normal(1, 2))) == pytest.approx(EXACT)


def test_arrays_broadcast():
    value = mk.kl_divergence(pm.Normal.dist(np.zeros((3, 1)), 1), stats.norm([1.0, 2.0], 2)).value
    np.testing.assert_allclose(value[0], [EXACT, EXACT + 3 / 8], rtol=1e-14)
    assert value.shape == (3, 2)


@pytest.mark.parametrize("of", [mk.kl_divergence, mk.js_divergence, mk.wasserstein_distance, mk.cross_entropy])
def test_errors_have_the_shape_of_values(of):
    estimate = of(stats.norm([0, 1, 2], 1), stats.norm(0, 1))
    assert estimate.mcse.shape == estimate.value.shape == (3,)
    assert not np.any(estimate.mcse)


def test_dataarrays_keep_dims_and_coords():
    mu = xr.DataArray([0.0, 1.0, 2.0], dims="site", coords={"site": list("abc")})
    sigma = xr.DataArray([1.0, 2.0], dims="year", coords={"year": [2001, 2002]})
    p, q = mk.distribution("Normal", mu, 1.0), mk.distribution("Normal", 0.0, sigma)
    estimate = mk.kl_divergence(p, q)
    assert estimate.value.dims == ("site", "year") == estimate.mcse.dims
    assert estimate.value.sel(site="b", year=2002).item() == pytest.approx(EXACT)
    for i, j in np.ndindex(3, 2):
        expected = mk.kl_divergence(stats.norm(i, 1), stats.norm(0, j + 1)).value
        assert estimate.value.isel(site=i, year=j).item() == pytest.approx(expected)
    assert mk.entropy(p).value.dims == ("site",)
    assert mk.js_divergence(q, p).value.dims == ("year", "site")
    assert mk.wasserstein_distance(p, q).value.sizes == {"site": 3, "year": 2}


def test_event_dims_come_last_in_labelled_vectors():
    mu = xr.DataArray(np.zeros((3, 2)), dims=("site", "axis"))
    mu[1] = [1.0, 1.0]
    estimate = mk.kl_divergence(
        mk.distribution("MvNormal", mu, np.eye(2)), mk.distribution("MvNormal", np.zeros(2), np.eye(2))
    )
    np.testing.assert_allclose(estimate.value, [0, 1, 0])
    assert estimate.value.dims == ("site",)


def test_bits():
    assert mk.entropy("Bernoulli(0.5)", base=2).value == pytest.approx(1)
    estimate = mk.kl_divergence("Normal(0, 1)", "Normal(1, 2)", base=2)
    assert (estimate.value, estimate.unit) == (pytest.approx(EXACT / np.log(2)), "bits")
    with pytest.raises(ValueError, match="above 1"):
        mk.kl_divergence("Normal(0, 1)", "Normal(1, 2)", base=1)


def test_identities():
    p, q = "Gamma(2, 1)", "LogNormal(0, 0.7)"
    kl, cross, entropy = mk.kl_divergence(p, q), mk.cross_entropy(p, q), mk.entropy(p)
    assert cross.value - entropy.value == pytest.approx(kl.value, rel=1e-9)
    assert mk.js_divergence(p, q).value == pytest.approx(mk.js_divergence(q, p).value, rel=1e-9)
    assert mk.kl_divergence(p, p).value == 0.0
    assert mk.js_divergence("Uniform(0, 1)", "Uniform(2, 3)").value == pytest.approx(np.log(2))


def test_infinite_and_refused():
    assert mk.kl_divergence(pm.Cauchy.dist(0, 1), pm.Normal.dist(0, 1)).value == np.inf
    with pytest.raises(ValueError, match=r"(?i)discrete"):
        mk.kl_divergence("Normal(0, 1)", "Poisson(3)")
    with pytest.raises(TypeError, match=r"PyMC.*SciPy.*PreliZ.*draws.*got int"):
        mk.kl_divergence(3, "Normal(0, 1)")
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        mk.wasserstein_distance("Normal(0, 1)", "Normal(1, 1)", order=3)
    with pytest.raises(TypeError, match="density of q"):
        mk.cross_entropy("Normal(0, 1)", np.zeros(100))


@pytest.fixture
def chains():
    values = np.random.default_rng(1).normal(size=(4, 500, 3)) + np.arange(3)
    return xr.DataArray(values, dims=("chain", "draw", "site"), coords={"site": list("abc")}, name="x")


def test_draws_by_element_or_together(chains):
    q = mk.distribution("Normal", xr.DataArray([0.0, 0.0, 0.0], dims="site", coords={"site": list("abc")}), 1.0)
    each = mk.kl_divergence(chains, q, event_dims=())
    assert each.value.dims == ("site",)
    assert_within(each, [0, 0.5, 2], mcse_below=0.07)
    together = mk.kl_divergence(chains, stats.multivariate_normal(np.zeros(3), np.eye(3)))
    assert_within(together, 2.5, mcse_below=0.08)
    entropies = mk.entropy(chains, event_dims=["site"])
    assert_within(entropies, 1.5 * np.log(2 * np.pi * np.e), mcse_below=0.05)


def test_draws_of_datasets_and_trees(chains):
    dataset = chains.to_dataset().assign(y=chains.isel(site=0, drop=True) ** 2 + chains.isel(site=1, drop=True))
    one = mk.entropy(dataset, var_names=["x"])
    assert one.value == mk.entropy(chains).value
    tree = xr.DataTree.from_dict({"posterior": chains.to_dataset()})
    assert mk.entropy(tree).value == one.value
    with pytest.raises(ValueError, match="'z'"):
        mk.entropy(dataset, var_names=["z"])
    with pytest.raises(ValueError, match="must be named 'draw'"):
        mk.entropy(xr.DataArray(np.zeros(100), dims="time"))
    with pytest.raises(ValueError, match="'time'"):
        mk.entropy(chains, event_dims=["time"])


def test_draws_against_density_both_ways_and_the_other_divergences():
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=2000), generator.normal(1, 2, size=3000)
    for p, q in ((x, "Normal(1, 2)"), ("Normal(0, 1)", y), (x, y)):
        estimate = mk.kl_divergence(p, q, random_seed=1)
        assert_within(estimate, EXACT, mcse_below=0.035)
        estimate = mk.js_divergence(p, q, random_seed=1)
        assert_within(estimate, mk.js_divergence("Normal(0, 1)", "Normal(1, 2)").value, mcse_below=0.02)
        estimate = mk.wasserstein_distance(p, q, order=2, random_seed=1)
        assert_within(estimate, np.sqrt(2), mcse_below=0.07)
    estimate = mk.cross_entropy(x, "Normal(1, 2)")
    assert_within(estimate, mk.cross_entropy("Normal(0, 1)", "Normal(1, 2)").value, mcse_below=0.015)


def test_angles_are_understood_from_von_mises():
    x = stats.vonmises(2, loc=3).rvs(2000, random_state=1)
    estimate = mk.kl_divergence(np.mod(x, 2 * np.pi), "VonMises(3, 2)")
    assert_within(estimate, 0.0, mcse_below=0.0055)
    estimate = mk.kl_divergence(x, "VonMises(3, 1)")
    assert_within(estimate, mk.kl_divergence("VonMises(3, 2)", "VonMises(3, 1)").value, mcse_below=0.015)


def test_the_length_of_the_circle_is_a_unit():
    p, q = (np.mod(np.random.default_rng(seed).normal(1.0, 0.4, size=400), 2 * np.pi) for seed in (1, 2))
    radians, turns = (
        mk.kl_divergence(p * unit, q * unit, period=2 * np.pi * unit, random_seed=1) for unit in (1.0, 0.25 / np.pi)
    )
    assert turns.value == pytest.approx(radians.value, abs=1e-9)
    shifted = mk.kl_divergence(np.mod(p + 2, 2 * np.pi), np.mod(q + 2, 2 * np.pi), period=2 * np.pi, random_seed=1)
    assert shifted.value == pytest.approx(radians.value, abs=1e-9)


@pytest.mark.parametrize(
    ("option", "refused", "message"),
    [
        ("period", [0.0, -1.0, np.inf, np.nan], "period must be a positive number"),
        ("base", [1.0, 0.5, -2.0, np.inf, np.nan], "base must be a number above 1"),
        ("rtol", [0.0, -0.1, np.inf, np.nan], "rtol must be a positive number"),
        ("budget", [-1, 1, 999], "budget must be a whole number of at least 1000 draws"),
    ],
)
def test_options_out_of_range_are_refused(option, refused, message):
    for value in refused:
        with pytest.raises(ValueError, match=f"^{message}.*got {value!r}"):
            mk.kl_divergence("Normal(0, 1)", "Normal(1, 1)", **{option: value})
    near = {"period": 1e-3, "base": 1.001, "rtol": 1e-3, "budget": 1000}
    found = mk.kl_divergence("Normal(0, 1)", "Normal(1, 1)", **{option: near[option]}).value
    assert found == pytest.approx(0.5 / (np.log(1.001) if option == "base" else 1.0))


def test_same_seed_same_result():
    p, q = stats.multivariate_t([0, 0], np.eye(2), df=5), stats.multivariate_normal([0, 0], np.eye(2))
    first, second = (mk.kl_divergence(p, q, random_seed=3) for _ in range(2))
    assert first.value == second.value


def test_import_loads_neither_pymc_nor_matplotlib():
    import subprocess
    import sys

    code = (
        "import sys, pp_mlekl as mk; mk.kl_divergence('Gamma(2, 1)', 'LogNormal(0, 1)');"
        "sys.exit(bool({'pymc', 'matplotlib', 'preliz'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
