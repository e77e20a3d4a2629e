"""Every page and every notebook's output with a hostile name, in a real browser: no script of the name's runs."""

import shutil
import subprocess

import pytest
from attacks_on_names import SURFACES, variable_name
from given import Given

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--virtual-time-budget=3000", "--dump-dom",
)  # fmt: skip
RUNS = "document.dir='rtl'"
# Out of an attribute, a title, a style, a comment and a cell, and by several events.
NAME = (
    f"\"'></title></style></textarea></td>--><img src=x onerror=\"{RUNS}\"><svg onload=\"{RUNS}\">"
    f"<script>{RUNS}</script><details open ontoggle=\"{RUNS}\">"
)  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="No Chromium is installed.")]


@pytest.fixture(scope="module")
def given():
    return Given()


def executed(text, folder):
    """Whether a script of the name's ran when the page was shown."""
    (folder / "page.html").write_text(text, encoding="utf-8")
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", (folder / "page.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "</html>" in shown
    return 'dir="rtl"' in shown.partition("<html")[2].partition(">")[0]


@pytest.mark.parametrize("name", [NAME, variable_name(NAME)])
def test_the_name_would_run_if_it_were_not_escaped(name, tmp_path):
    assert executed(f"<!DOCTYPE html><html><body><p>{name}</p></body></html>", tmp_path)


@pytest.mark.parametrize("surface", SURFACES)
def test_no_script_of_a_name_runs(surface, given, tmp_path):
    text = surface(given, NAME)
    whole = text if "<html" in text else f"<!DOCTYPE html><html><body>{text}</body></html>"
    assert not executed(whole, tmp_path)
