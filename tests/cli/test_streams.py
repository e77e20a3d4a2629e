"""Standard output that cannot be written, and interrupts: a line and a status, whenever they come."""

import os
import subprocess
import sys

import pytest
from tiers import slow_if

RUN = [sys.executable, "-c"]
IMPORT = "from pp_mlekl.cli import main"
MAIN = f"{IMPORT}; main()"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
MODEL = """
import pymc as pm

def build():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), 1, observed=[0.4, 1.2])
    return model
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "command", slow_if(["list", "rules", "kl Normal(0,1) Normal(1,1)"], ["rules", "kl Normal(0,1) Normal(1,1)"])
)
def test_a_full_standard_output_is_a_line(command):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*RUN, MAIN, *command.split()], stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["pp-mlekl: No space left on device"]


def test_a_closed_standard_output_is_no_failure():
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "{MAIN}" list >&-', sys.executable],
        stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_pipe_gives_no_traceback():
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "{MAIN}" list | true', sys.executable],
        capture_output=True, text=True, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0])
def test_an_interrupt_at_any_moment_is_a_line(tmp_path, seconds):
    (tmp_path / "mine.py").write_text(MODEL)
    # An alarm interrupts as the keyboard does, at a moment that the child itself keeps.
    alarm = "import signal\nfor s in (signal.SIGINT, signal.SIGALRM): signal.signal(s, signal.default_int_handler)\n"
    alarm += f"{IMPORT}\nsignal.setitimer(signal.ITIMER_REAL, {seconds})\nmain()"
    arguments = ["compare", "mine.py:build", "--draws", "500000", "--chains", "2", "--out", "out"]
    done = subprocess.run(
        [*RUN, alarm, *arguments], cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stderr) == (130, "pp-mlekl: Interrupted.\n")
    assert list(tmp_path.glob("out/*")) == []


INTERRUPTED_DESTRUCTOR = """
import signal, sys, time, types

signal.signal(signal.SIGINT, signal.default_int_handler)

class Resource:
    def __del__(self):
        raise KeyboardInterrupt

def run():
    Resource()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        pass

sys.modules["pp_mlekl.cli.app"] = types.SimpleNamespace(run=run)
from pp_mlekl.cli import main
main()
"""


def test_an_interrupt_in_a_destructor_is_not_lost():
    done = subprocess.run([*RUN, INTERRUPTED_DESTRUCTOR], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stderr) == (130, "pp-mlekl: Interrupted.\n")
