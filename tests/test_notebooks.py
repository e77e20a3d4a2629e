"""The notebooks run from top to bottom, and are committed with what they showed."""

import subprocess
import sys

import nbformat
import pytest

NOTEBOOKS = ["eight_schools", "proof"]
# In a process of its own: the client's event loop warns of things that are not this project's.
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
"""


def test_every_notebook_is_tested(root):
    assert sorted(path.stem for path in (root / "notebooks").glob("*.ipynb")) == NOTEBOOKS


# One of them is enough for the fast tests: each starts a kernel and samples.
@pytest.mark.parametrize(
    "name", [n if n == "eight_schools" else pytest.param(n, marks=pytest.mark.slow) for n in NOTEBOOKS]
)
def test_notebook_runs(root, tmp_path, name):
    command = [sys.executable, "-c", RUN, str(root / "notebooks" / f"{name}.ipynb"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_committed_executed_and_without_errors(root, name):
    notebook = nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs)
