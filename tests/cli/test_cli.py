"""The command line as a user meets it: pages, one-line errors, exit statuses."""

import os
import signal
import subprocess
import sys
import time

import pytest
from command_line import run

import pp_mlekl as mk

# A shell that starts a job in the background makes it deaf to interrupts, and its children with it.
INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from pp_mlekl.cli import main
main()
"""
QUICK = ["--draws", "200", "--chains", "2", "--seed", "1"]


def test_the_package_is_a_command_as_well():
    shown = subprocess.run([sys.executable, "-m", "pp_mlekl", "--help"], capture_output=True, text=True, check=True)
    assert "compare-models" in shown.stdout


@pytest.mark.slow
def test_models_of_the_same_data(folder):
    result = run("compare-models", "my_model.py:build", "my_model.py:build_wide", *QUICK, "--out", "out")
    assert result.exit_code == 0, result.output
    assert "The data favour my_model over my_model-wide" in result.stdout
    page = (folder / "out" / "models.html").read_text()
    for name in ("my_model", "my_model-wide"):
        assert f'href="{name}.html"' in page
        assert (folder / "out" / f"{name}.html").exists()


@pytest.mark.slow
def test_potentials_count_as_the_user_says(folder):
    result = run("compare", "my_model.py:penalised", *QUICK, "--potentials", "likelihood", "--out", "out")
    assert result.exit_code == 0, result.output
    # The normal likelihood of four numbers and the penalty, which weighs as much as two more at 0.
    mle = float(mk.load(folder / "out" / "my_model-penalised.nc").tree["point_estimate"]["mu"].sel(estimator="mle"))
    assert mle == pytest.approx(4.0 / 6.0, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["compare", "nope:build"], 2, "no module 'nope'"),
        (["compare", "models.eight_school:build"], 2, "Did you mean eight_schools?"),
        (["compare", "nope.py:build"], 2, "no file nope.py"),
        (
            ["compare", "my_model.py:biuld"],
            2,
            "it has build, build_wide, build_other, raises, refused, nothing, penalised, flat, of_table, of_two. Did you mean build?",
        ),
        (["compare", "my_model.py:raises"], 1, "no data today"),
        (["compare", "my_model.py:nothing"], 2, "not a pymc.Model"),
        (["compare", "my_model.py:refused"], 2, "sum them out"),
        (["compare", "my_model.py:build", "--draws", "0"], 2, "positive integer"),
        (["compare", "my_model.py:build", "--truth", "none.toml"], 2, "no file none.toml"),
        (["compare", "my_model.py:build", "--truth", "lacks.toml"], 2, "mu"),
        (["compare", "my_model.py:build", "--out", "my_model.py/x"], 2, "Nothing can be written to my_model.py/x"),
        (["compare", "my_model.py:build", "--seed", "-1"], 2, "--seed must be"),
        (["compare", "my_model.py:penalised"], 2, "may be prior or likelihood"),
        (["compare", "my_model.py:build", "--potentials", "typo"], 2, "'typo' is not one of 'prior', 'likelihood'"),
        (["compare", "my_model.py:build", "--drws", "5"], 2, "No such option: --drws"),
        (["compare"], 2, "Missing argument"),
        (["compar"], 2, "Did you mean 'compare'"),
        (["--versoin"], 2, "No such option"),
        (["compare", "my_model.py:build", "--sampler", "nupie"], 2, "nuts_sampler must be"),
        (["compare-models", "my_model.py:build"], 2, "at least two models"),
        (["compare-models", "my_model.py:build", "my_model.py:build"], 2, "each once"),
        (
            ["compare-models", "my_model.py:build", "my_model.py:build_other"],
            2,
            "has 4 observations and my_model-other has 2",
        ),
        (["compare", "my_model.py:build", "--json", "--csv"], 2, "Choose one of"),
        (["compare", "my_model.py:build", "--data", "none.csv"], 2, "no file none.csv"),
        (["compare", "my_model.py:build", "--data", "my_model.py"], 2, ".csv, .parquet, .nc"),
        (["compare", "my_model.py:raises", "--data", "lacks.csv"], 2, "takes other arguments"),
        *[
            ([command, "my_model.py:of_table"], 2, "my_model.py:of_table needs 'table': pass --data FILE")
            for command in ("compare", "doctor", "calibrate")
        ],
        (["compare", "my_model.py:of_two", "--data", "lacks.csv"], 2, "missing a required argument: 'scale'"),
        (["doctor", "my_model.py:raises"], 1, "no data today"),
        (["report"], 2, "at least one TOML file"),
        (["report", "bad_key.toml"], 2, "did you mean 'draws'?"),
        (["report", "bad_type.toml"], 2, "draws must be int"),
        (["report", "no_builder.toml"], 2, '"builder" is missing'),
        (["report", "not.toml"], 2, "must be TOML"),
        (["report", "latin.toml"], 2, "must be TOML"),
        (["report", "digits.toml"], 2, "must be TOML"),
        (["report", "brackets.toml"], 2, "must be TOML"),
    ],
)
def test_wrong_use_gets_one_line(folder, arguments, status, says):
    (folder / "lacks.toml").write_text("sigma = 1.0\n")
    (folder / "lacks.csv").write_text("y\n1\n")
    (folder / "bad_key.toml").write_text('builder = "my_model.py:build"\ndrwas = 10\n')
    (folder / "bad_type.toml").write_text('builder = "my_model.py:build"\ndraws = "many"\n')
    (folder / "no_builder.toml").write_text("draws = 10\n")
    (folder / "not.toml").write_text("draws =\n")
    (folder / "latin.toml").write_bytes("name = 'é'".encode("latin-1"))
    (folder / "digits.toml").write_text("draws = " + "9" * 5000)
    (folder / "brackets.toml").write_text("draws = " + "[" * 5000 + "]" * 5000)
    result = run(*arguments)
    assert result.exit_code == status, result.output
    lines = result.stderr.strip().splitlines()
    lines = [line for line in lines if not line.startswith("[")]
    assert len(lines) == 1, result.stderr
    assert says in lines[0]
    assert not list(folder.glob("**/*.html"))


def test_gallery_is_listed_anywhere(folder):
    result = run("list")
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.output.splitlines() if line[:1].strip()]
    assert {"eight_schools", "eight_schools:build_noncentered", "radon"} <= set(names)


def test_names_of_the_gallery_are_builders(folder):
    from pp_mlekl.cli.load_model import load_builder

    assert load_builder("bcg").module.__name__ == "pp_mlekl.gallery.bcg"
    assert load_builder("bcg:build_latitude").function.__name__ == "build_latitude"


def test_a_module_of_ones_own_comes_before_the_gallery(folder):
    from pp_mlekl.cli.load_model import load_builder

    (folder / "bcg.py").write_text("def build():\n    return 1\n")
    assert load_builder("bcg").function() == 1


def test_interrupt_leaves_no_half_page(folder):
    command = [sys.executable, "-c", INTERRUPTIBLE, "compare", "my_model.py:build", "--out", "out"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while not (folder / "out").exists() and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors.decode()
    assert list((folder / "out").iterdir()) == []


def test_help_is_quick_and_needs_no_pymc():
    code = "import sys, pp_mlekl.cli.app as a; bad = {'pymc', 'matplotlib', 'pytensor'} & set(sys.modules); assert not bad, bad"
    subprocess.run([sys.executable, "-c", code], check=True)
