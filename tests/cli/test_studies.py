"""``pp-mlekl studies``: grids in TOML, their schema, pages and index."""

import json
import tomllib

import pytest
import xarray as xr
from typer.testing import CliRunner

from pp_mlekl.cli.app import app
from pp_mlekl.cli.study_file import _CROSSED, _SETTINGS, OneStudy, read_grid

MODEL = """
import numpy as np
import pymc as pm

TRUTH = {"mu": 1.0}

def build(scale=5.0):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, scale), 1.0, observed=np.zeros(10))
    return model
"""


@pytest.fixture
def grid(tmp_path):
    (tmp_path / "mine.py").write_text(MODEL)
    path = tmp_path / "grid.toml"
    path.write_text(
        f'builder = "{tmp_path / "mine.py"}:build"\narguments = [{{scale = 0.5}}, {{scale = 5.0}}]\n'
        'sizes = [10]\nreplicates = 20\ncompute = ["coverage"]\n'
    )
    return path


def test_all_combinations_are_run_and_listed(grid, tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["studies", str(grid), "--out", str(out)])
    assert result.exit_code == 0, result.output
    index = (out / "index.html").read_text(encoding="utf-8")
    names = [name for name, _ in read_grid(grid).studies()]
    assert names == ["grid, scale=0.5", "grid, scale=5.0"]
    assert all(name in index for name in names)
    assert len(list(out.glob("*.zarr"))) == 2


def test_truths_and_builders_are_crossed(tmp_path):
    path = tmp_path / "g.toml"
    path.write_text('name = "N"\nbuilder = ["a:b", "c:d"]\ntruth = ["Gamma(2, 1)", {mu = 1.0}]\n')
    found = list(read_grid(path).studies())
    assert [name for name, _ in found] == [
        "N, a:b, Gamma(2, 1)", "N, a:b, mu=1.0", "N, c:d, Gamma(2, 1)", "N, c:d, mu=1.0"
    ]  # fmt: skip
    assert found[1][1].truth == {"mu": 1.0}


def test_a_grid_of_one_study_has_the_name_of_its_file_and_a_seed(tmp_path):
    path = tmp_path / "g.toml"
    path.write_text('builder = "a:b"\nsimulate = true\nci_prob = 0.9\nsizes = [10]\n')
    settings = {"random_seed": 1, "simulate": True, "ci_prob": 0.9, "sizes": [10]}
    assert list(read_grid(path).studies()) == [
        ("g", OneStudy(builder="a:b", arguments={}, truth=None, settings=settings))
    ]
    path.write_text('builder = "a:b"\nrandom_seed = 2\narguments = [{}, {x = 1, y = 2}]\n')
    found = list(read_grid(path).studies())
    assert [name for name, _ in found] == ["g, defaults", "g, x=1 y=2"]
    assert [one.settings for _, one in found] == [{"random_seed": 2}] * 2


def test_a_study_is_loaded_with_the_truth_and_the_arguments_of_its_file(grid, own_data):
    mine, settings = str(grid.with_name("mine.py")), {"sizes": [10]}

    def load(builder, truth=None, **more):
        return OneStudy(builder=builder, arguments={"scale": 3.0}, truth=truth, settings=settings | more).load()

    model, truth, found = load(mine, simulate=False)
    assert (truth, found) == ({"mu": 1.0}, settings)
    assert float(model["mu"].owner.inputs[-1].data) == 3.0
    assert load(mine, {"mu": 2.0})[1] == {"mu": 2.0}
    assert type(load(mine, "Gamma(2, 1)")[1]).__name__ == "Gamma"
    build, truth, found = load(str(own_data), simulate=True)
    assert (truth, found["sizes"], set(found)) == ({"mu": 1.0}, [10], {"sizes", "simulate"})
    drawn = found["simulate"](3, truth, 1)
    assert float(build(drawn)["mu"].owner.inputs[-1].data) == 3.0
    assert drawn["sd"].tolist() == [1.0, 1.5, 2.0]
    grid.with_name("mine.py").write_text(MODEL.replace("TRUTH", "NO_TRUTH"))
    with pytest.raises(ValueError, match=r"^The module of .*mine\.py has no TRUTH; add truth to the file\.$"):
        load(mine)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sizes = [10]", "builder"),
        ("builder = 3", "builder must be a str"),
        ('builder = "a:b"\nsize = [3]', "did you mean 'sizes'"),
        ('builder = "a:b"\nsizes = ["ten"]', "sizes must be a list of int"),
        ('builder = "a:b"\nreplicates = true', "replicates must be a int"),
        ('builder = "a:b"\narguments = []', "arguments must be a dict"),
        ("builder = ", "must be TOML"),
        ('builder = "a:b"\nsizes = [true]', "sizes must be a list of int, got "),
        ('builder = "a:b"\nsizes = 3', "sizes must be a list of int, got 3"),
        ('builder = "a:b"\nci_prob = 1', "ci_prob must be a float, got 1"),
        ('builder = "a:b"\nsimulate = 1', "simulate must be a bool, got 1"),
        ('builder = "a:b"\ntruth = 3', "truth must be a dict or str, or a list of such, got 3"),
        ('builder = ["a:b", 3]', "builder must be a str, or a list of such"),
        ("name = 3", 'the key "builder" is missing; add builder = "models.radon:build", say'),
    ],
)
def test_wrong_files_are_named(tmp_path, text, message):
    path = tmp_path / "g.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_grid(path)


def test_the_schema_knows_the_keys_and_the_grids_keep_to_it(root):
    schema = json.loads((root / "studies" / "schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]) == {"name", *_CROSSED, *_SETTINGS}
    jsonschema = pytest.importorskip("jsonschema")
    for path in (root / "studies").glob("*.toml"):
        jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), schema)
        assert list(read_grid(path).studies())


OWN_DATA = """
import helper
import numpy as np
import pymc as pm

TRUTH = {"mu": 1.0}

def build(data, scale=5.0):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, scale), data["sd"], observed=data["y"])
    return model

def simulate(n, truth, random_seed):
    from helper import spread
    sd = np.linspace(1, 2, n)
    return {"sd": sd, "y": spread(np.random.default_rng(random_seed), truth["mu"], sd)}
"""


@pytest.fixture
def own_data(tmp_path):
    (tmp_path / "helper.py").write_text("def spread(generator, mu, sd):\n    return generator.normal(mu, sd)\n")
    (tmp_path / "own.py").write_text(OWN_DATA)
    return tmp_path / "own.py"


def test_a_grid_draws_data_by_the_module_s_own_function(own_data, tmp_path):
    grid, out = tmp_path / "grid.toml", tmp_path / "out"
    grid.write_text(
        f'builder = "{own_data}"\nsizes = [10]\nreplicates = 20\nsimulate = true\narguments = {{scale = 2.0}}\n'
    )
    result = CliRunner().invoke(app, ["studies", str(grid), "--out", str(out)])
    assert result.exit_code == 0, result.output
    with xr.open_datatree(out / "grid.zarr", engine="zarr", consolidated=False) as tree:
        assert tree["summary/exists"].item() == 1
        assert abs(tree["summary/bias"].item()) < 1
        assert "kl" not in tree["summary"]


def test_a_module_without_a_function_for_data(grid, own_data, tmp_path):
    result = CliRunner().invoke(app, ["study", str(tmp_path / "mine.py"), "--simulate"])
    assert result.exit_code == 2
    assert "simulate" in result.output


def test_a_shipped_case_has_no_data_of_its_own():
    result = CliRunner().invoke(app, ["study", "bernoulli", "--simulate"])
    assert result.exit_code == 2
    assert "no function simulate" in result.output


def test_a_mistake_in_the_last_study_of_a_grid_shows_before_the_first_is_run(grid, tmp_path):
    grid.write_text(grid.read_text().replace("scale = 5.0", "scael = 5.0"))
    result = CliRunner().invoke(app, ["studies", str(grid), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert not list((tmp_path / "out").glob("*.zarr"))


def test_errors_of_a_builder_s_functions_name_its_file(own_data):
    own_data.write_text(OWN_DATA.replace("sd = np.linspace(1, 2, n)", "raise KeyError('lost')"))
    result = CliRunner().invoke(app, ["study", str(own_data), "--simulate", "--sizes", "10", "--replicates", "5"])
    assert result.exit_code == 1
    assert result.output.startswith("pp-mlekl: own failed with KeyError: 'lost' (own.py")
