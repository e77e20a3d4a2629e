"""The documentation builds without a warning, and its pages in a real browser load nothing from elsewhere and fit a phone."""

import subprocess
import sys

import chromium
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed; install it to test the site."),
]
# Visible elements beyond the right edge, but for those that scroll within the page.
OVERFLOWING = """[...document.querySelectorAll(".bd-main *, header *")].filter(e =>
  e.getBoundingClientRect().right > innerWidth + 1 && e.getClientRects().length &&
  !e.closest("table, pre, .formula, svg, nav, dialog")).map(e => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def site(root, tmp_path_factory):
    """The site without the outputs of notebooks, which take minutes."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-n", "-W", "-q", "-D", "nb_execution_mode=off"]
    done = subprocess.run([*command, str(root / "docs"), str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_pages_fail_nowhere_and_fit(site):
    pages = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    assert len(pages) > 70
    with chromium.browser() as tab:
        for path in pages:
            for width in (390, 1280):
                tab.open(path, width)
                assert [p for p in tab.problems() if "file://" not in p] == [], path.name
                assert tab.value("document.documentElement.scrollWidth") <= width, path.name
                assert tab.value(OVERFLOWING) == [], path.name


def test_results_of_notebooks_have_the_colours_of_a_dark_page(site):
    result = '<div class="cell_output"><div class="output text_html"><p>Converged.</p></div></div>'
    with chromium.browser() as tab:
        tab.open(site / "why.html", 1280, dark=True)
        tab.value(f"document.querySelector('article').insertAdjacentHTML('beforeend', {result!r})")
        assert tab.value("document.documentElement.dataset.theme") == "dark"
        found = "getComputedStyle(document.querySelector('article .text_html'))"
        assert tab.value(f"{found}.backgroundColor") == "rgba(0, 0, 0, 0)"
        assert tab.value(f"{found}.color") == tab.value("getComputedStyle(document.querySelector('article')).color")
