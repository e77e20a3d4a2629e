"""The types that arguments are checked against, and the line in which others are refused."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import ArrayLike

from pp_mlekl.typing import Array, Names, RandomSeed
from pp_mlekl.utils.arguments import check_names, checked_arguments

type Unresolved = Absent | None  # noqa: F821


@checked_arguments
def function(
    value: Any = None,
    *,
    count: int = 1,
    number: float | None = None,
    flag: bool = False,
    text: str = "",
    option: Literal["a", "b"] = "a",
    names: Names | None = None,
    sizes: Sequence[int] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    values: Mapping[str, ArrayLike] | None = None,
    array: Array | None = None,
    numbers: ArrayLike | None = None,
    idata: xr.DataTree | None = None,
    path: str | os.PathLike[str] = "",
    progress: bool | Callable[[str], None] = True,
    client: "absent.Client | None" = None,  # noqa: F821
    unresolved: Unresolved = None,
    random_seed: RandomSeed = None,
) -> Any:
    return names


class Client:
    pass


RIGHT = {
    "count": [0, -3, np.int32(4)],
    "number": [None, 1, 0.5, np.float32(2), float("nan")],
    "flag": [True, np.False_],
    "option": ["b", np.str_("a")],
    "names": [None, "mu", ["mu"], ("mu", "nu"), np.array(["mu"]), pd.Index(["mu"]), []],
    "sizes": [[1, 2], (1,), np.array([3, 4]), range(3)],
    "groups": [{}, {"a": ["mu"]}],
    "values": [{"y": 1}, {"y": [1, 2]}, {"y": np.ones(2)}, {"y": pd.Series([1.0])}, {"y": xr.DataArray(2)}, {"y": [True]}],
    "array": [np.ones(2)],
    "numbers": [1, [1.0, 2], np.ones((2, 2)), np.array([1, 2.5], dtype=object)],
    "idata": [xr.DataTree()],
    "path": ["x", Path("x")],
    "progress": [False, print],
    "client": [None, Client()],
    "unresolved": [3],
    "random_seed": [1, np.int64(3), np.random.default_rng(1), np.random.SeedSequence(1)],
}  # fmt: skip
WRONG = {
    "count": [None, 1.0, "1", True, [1], 1j],
    "number": ["1", True, [1.0], 1j, np.ones(2)],
    "flag": [None, 1, "yes"],
    "text": [None, 1, b"a"],
    "option": [None, "c", ["a"], np.array(["a", "b"]), pd.DataFrame({"a": [1]})],
    "names": [3, b"mu", ["mu", 3], {"mu"}, {"mu": 1}, np.ones(2), xr.Dataset(), iter(["mu"])],
    "sizes": [5, "5", [1.5], [True], {5}],
    "groups": [["mu"], {"a": 3}, {3: ["mu"]}],
    "values": [[1.0], {"y": "a"}, {"y": None}, {1: 2.0}, {"y": [[1], [2, 3]]}, {"y": 1j}],
    "array": [[1.0], 1.0, xr.DataArray(1.0)],
    "numbers": ["a", ["a"], 1j, {}, object(), xr.Dataset()],
    "idata": [xr.Dataset(), {}, "x"],
    "path": [None, 3, ["x"]],
    "progress": [None, 1, "x"],
    "client": ["tcp://localhost", Client],
    "random_seed": [-1, 1.5, "a", np.ones((2, 3)), pd.DataFrame({"a": [1]})],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in RIGHT.items() for value in values])
def test_right_types_pass(name, value):
    function(**{name: value})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_types_are_refused_in_one_line(name, value):
    with pytest.raises((TypeError, ValueError)) as caught:
        function(**{name: value})
    message = str(caught.value)
    assert message.startswith(name)
    assert "\n" not in message
    assert len(message) < 200


def test_the_entry_of_a_mapping_is_named():
    with pytest.raises(ValueError, match=r"values\['z'\]"):
        function(values={"y": 1.0, "z": "a"})


def test_one_name_is_a_list_of_one():
    assert function(names="mu") == ["mu"]
    assert function(names=("mu",)) == ("mu",)


def test_defaults_are_not_checked_and_python_refuses_other_names():
    function()
    with pytest.raises(TypeError, match="function"):
        function(absent=1)
    with pytest.raises(TypeError, match="function"):
        function(1, 2)


def test_names_must_be_known_and_enough():
    check_names("skip", [], ["a"], fewest=0)
    for given in (["b"], []):
        with pytest.raises(ValueError, match=r"^skip"):
            check_names("skip", given, ["a"])
    with pytest.raises(ValueError, match="skip") as caught:
        check_names("skip", ["b"], [f"a{i}" for i in range(1000)])
    assert len(str(caught.value)) < 300
