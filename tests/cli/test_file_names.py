"""Names of models and of their files, from names of builders."""

import pytest

from pp_mlekl.cli.compare import names_of


@pytest.mark.parametrize(
    ("builders", "names", "stems"),
    [
        (["eight_schools"], ["eight_schools"], ["eight_schools"]),
        (["a/m.py:build", "b/m.py:build"], ["m", "m-2"], ["m", "m-2"]),
        (["models.py:build"], ["models"], ["models-2"]),
        (["M.py:build", "m.py:build"], ["M", "m"], ["M", "m-2"]),
        (["m.py:build_a", "m.py:build_b"], ["m-a", "m-b"], ["m-a", "m-b"]),
    ],
)
def test_each_model_has_a_name_and_files_of_its_own(builders, names, stems, capsys):
    assert names_of(builders, taken=["models"]) == (names, stems)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == sum(
        not b.endswith(("schools", "build_a", "build_b")) and s.endswith("-2")
        for b, s in zip(builders, stems, strict=True)
    )


def test_a_long_name_is_cut(capsys):
    ((name,), (stem,)) = names_of([f"{'x' * 400}.py:build"])
    assert name == "x" * 400
    assert len(stem) == 120
    assert stem in capsys.readouterr().err
