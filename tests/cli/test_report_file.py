"""Report specifications in TOML: defaults, types, places, and what is refused in which words."""

from pathlib import Path

import pytest

from pp_mlekl.cli.report_file import Specification, read_specification, read_toml, read_truth, specification_schema


@pytest.fixture
def written(tmp_path):
    def write(text, name="my-report.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_what_is_not_written_has_its_default(written):
    assert read_specification(written('builder = "radon"\n')) == Specification(
        builder="radon", name="my-report", args={}, data=None, truth=None, draws=1000, chains=4, seed=1,
        sampler="nutpie", potentials=None,
    )  # fmt: skip


def test_what_is_written_arrives_and_data_are_beside_the_file(written):
    path = written(
        'builder = "m:b"\nname = "N"\ndata = "d.csv"\ntruth = "module"\ndraws = 7\nchains = 2\nseed = 3\n'
        'sampler = "pymc"\npotentials = "prior"\n[args]\nscale = 2.5\n'
    )
    assert read_specification(path) == Specification(
        builder="m:b", name="N", args={"scale": 2.5}, data=str(path.parent / "d.csv"), truth="module", draws=7, chains=2,
        seed=3, sampler="pymc", potentials="prior",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('builder = "b"\ndraws = true', "draws must be int, got True."),
        ('builder = "b"\ndraws = 1.5', "draws must be int, got 1.5."),
        ('builder = "b"\ntruth = 3', "truth must be str or dict, got 3."),
        ('builder = "b"\nargs = "x"', "args must be dict, got 'x'."),
        ("draws = 3", 'the key "builder" is missing, e.g. builder = "models.eight_schools:build".'),
        ('builder = "b"\nsede = 3', "unknown key 'sede'; did you mean 'seed'?"),
        (
            'builder = "b"\nxyzzy = 3',
            "unknown key 'xyzzy'; the keys are builder, name, args, data, truth, draws, chains, seed, sampler, potentials.",
        ),
    ],
)
def test_a_refusal_names_the_file_and_the_remedy(written, text, message):
    path = written(text)
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        read_specification(path)
    assert str(refused.value) == f"{path}: {message}"


def test_a_truth_has_any_keys_and_a_file_that_is_missing_is_named(written):
    assert read_truth(written("mu = 1.5\nbeta = [1.0, 2.0]\n")) == {"mu": 1.5, "beta": [1.0, 2.0]}
    with pytest.raises(ValueError, match=r"^There is no file none\.toml; check the path\.$"):
        read_toml(Path("none.toml"))


def test_the_schema_closes_the_table_and_says_of_what_type_each_key_is():
    schema = specification_schema()
    assert (schema["type"], schema["required"], schema["additionalProperties"]) == ("object", ["builder"], False)
    types = {name: found["type"] for name, found in schema["properties"].items()}
    assert types == {
        "builder": ["string"], "name": ["string"], "args": ["object"], "data": ["string"], "truth": ["string", "object"],
        "draws": ["integer"], "chains": ["integer"], "seed": ["integer"], "sampler": ["string"], "potentials": ["string"],
    }  # fmt: skip
    assert schema["properties"]["draws"]["description"] == "Draws of each chain after tuning."
