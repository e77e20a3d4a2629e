"""The tutorials are notebooks in text form that run from top to bottom and show pictures and tables without gaps."""

import json
import os
import re
import subprocess
import sys

import pytest

NOTEBOOKS = [
    "first_comparison",
    "hierarchical_models",
    "simulation_study",
    "the_theorem",
    "what_the_data_taught",
    "when_the_mle_does_not_exist",
]
# In a process of its own: the client's event loop warns of things that are not this project's.
RUN = """
import sys, jupytext, nbformat
from nbclient import NotebookClient
notebook = jupytext.read(sys.argv[1])
NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[2] + "/executed.ipynb")
"""


def test_every_notebook_is_tested_and_listed(root):
    assert sorted(path.stem for path in (root / "docs" / "tutorials").glob("*.md")) == NOTEBOOKS
    listed = re.findall(
        r"^tutorials/(\w+)$", (root / "docs" / "tutorials.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_paired(root, name):
    header = (root / "docs" / "tutorials" / f"{name}.md").read_text(encoding="utf-8").split("---")[1]
    assert "formats: ipynb,md:myst" in header
    assert "name: python3" in header


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_and_shows_pictures_and_tables(root, tmp_path, name):
    command = [sys.executable, "-c", RUN, str(root / "docs" / "tutorials" / f"{name}.md"), str(tmp_path)]
    # The kernel chooses its backend by itself.
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = json.loads((tmp_path / "executed.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)
    shown = [output.get("data", {}) for output in outputs]
    assert any("image/png" in data for data in shown)
    tables = ["".join(data["text/html"]) for data in shown if "text/html" in data]
    assert any("<table" in table for table in tables)
    assert not any("NaN" in table for table in tables)
