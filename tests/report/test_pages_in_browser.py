"""Pages in a real browser: nothing fails, nothing is requested, nothing overflows, sorting and filtering work."""

from dataclasses import replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import chromium
import pytest

import pp_mlekl as mk
from pp_mlekl.pymc_model.examples import CASES
from pp_mlekl.report.estimates import glance
from pp_mlekl.report.page import index_card, write_html, write_index
from pp_mlekl.report.study_page import write_study_index, write_study_page
from pp_mlekl.theorem.proof import proof

if chromium.PROGRAM is None:
    pytest.skip("Chromium is not installed; install it to test the pages in a browser.", allow_module_level=True)

# Elements beyond the right edge, but for those in regions that scroll.
OVERFLOWING = """[...document.querySelectorAll("body *")].filter(e =>
  e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, .formula, nav, pre, svg, .hidden"))
  .map(e => e.outerHTML.slice(0, 80))"""
# Texts of plots of which more than two pixels lie outside their plot, with their widths and font sizes.
CUT = """[...document.querySelectorAll("figure svg text")].filter(t => {
  const text = t.getBoundingClientRect(), plot = t.ownerSVGElement.getBoundingClientRect();
  return text.width && (text.left < plot.left - 2 || text.right > plot.right + 2 || text.top < plot.top - 2
    || text.bottom > plot.bottom + 2); })
  .map(t => `${t.textContent}: ${t.getBoundingClientRect().width} wide, ${getComputedStyle(t).fontSize}`)"""
# Texts of plots that a dark page hides.
BLACK = """[...document.querySelectorAll("figure svg text")]
  .filter(t => getComputedStyle(t).fill === "rgb(0, 0, 0)").map(t => t.textContent)"""
PAGES = ["comparison", "index", "proof", "models", "study", "studies", "calibration"]
VISIBLE_ROWS = "[...document.querySelectorAll('#glance tbody tr')].filter(r => r.getClientRects().length).length"


@pytest.fixture(scope="module")
def tab():
    with chromium.browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(comparison, page_path, coins, calibration, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    entry = {"href": "page.html", "name": "groups", "shows": "What it shows.", "findings": [("ok", "Fine.")]}
    card = index_card(comparison)
    worse = {**entry, "name": "a group", "findings": [("problem", "Not fine.")]}
    index = write_index([{**one, "card": card} for one in (entry, worse, entry)], folder / "index.html")
    model, truth = CASES["bernoulli"]()
    steps = proof(model, truth, sizes=[20, 60], replicates=40, random_seed=1).to_html(folder / "proof.html")
    models = mk.compare_models({"groups": comparison, "the same": comparison}, random_seed=1)
    return {
        "comparison": page_path,
        "index": index,
        "proof": steps,
        "models": models.to_html(folder / "models.html"),
        "study": write_study_page(coins, folder / "study.html", "Coins"),
        "studies": write_study_index({"Coins": ("study.html", coins)}, folder / "studies.html"),
        "calibration": calibration.to_html(folder / "calibration.html"),
    }


# Bright and wide, dark and narrow: the pages share their style sheet, so that one page is enough for the fast tests of the first.
VIEWS = [
    pytest.param(name, width, dark, marks=[pytest.mark.slow] * (not dark and name not in ("comparison", "index")))
    for name in PAGES
    for width, dark in ((1280, False), (390, True))
]


@pytest.mark.parametrize(("name", "width", "dark"), VIEWS)
def test_axe_finds_no_violation(tab, pages, name, width, dark):
    package = find_spec("axe_core_python")
    if package is None or package.origin is None:
        pytest.skip("axe is not installed: pip install axe-core-python")
    source = Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    run = "axe.run({resultTypes: ['violations']}).then(r => r.violations.map(v => `${v.id}: ${v.nodes[0].html}`))"
    tab.open(pages[name], width, dark=dark)
    tab.value(source)
    assert tab.value(run) == []


@pytest.mark.parametrize(
    ("name", "width"),
    [
        pytest.param(name, width, marks=[pytest.mark.slow] * (width == 768 and name != "comparison"))
        for name in PAGES
        for width in (390, 768, 1280)
    ],
)
def test_nothing_fails_or_overflows(tab, pages, name, width):
    for dark in (False, True):
        tab.open(pages[name], width, dark=dark)
        assert tab.problems() == []
        assert tab.value("document.documentElement.scrollWidth") <= width
        assert tab.value(OVERFLOWING) == []
        assert tab.value(CUT) == []
        assert not dark or tab.value(BLACK) == []


def test_ink_and_paper_change_with_the_scheme(tab, page_path):
    seen = []
    for dark in (False, True):
        tab.open(page_path, 1280, dark=dark)
        seen.append(
            [
                tab.value("getComputedStyle(document.body).backgroundColor"),
                tab.value("getComputedStyle(document.querySelector('figure svg text')).fill"),
                tab.value("getComputedStyle(document.querySelector('.row .post')).fill"),
            ]
        )
    assert all(light != dark for light, dark in zip(*seen, strict=True))


def test_sorting_filtering_and_toggling(tab, page_path):
    tab.open(page_path, 1280)
    assert tab.value(VISIBLE_ROWS) == 20
    tab.value("document.querySelector('button[data-more]').click()")
    assert tab.value(VISIBLE_ROWS) == 28
    column = "[...document.querySelectorAll('#glance td.bar')].map(c => parseFloat(c.dataset.v)).filter(v => !isNaN(v))"
    last = "document.querySelector('#glance thead th:last-child button')"
    tab.value(f"{last}.click()")
    values = tab.value(column)
    assert values == sorted(values, reverse=True)
    tab.value(f"{last}.click()")
    assert tab.value(column) == sorted(values)
    assert tab.value("document.querySelector('#glance thead th:last-child').getAttribute('aria-sort')") == "ascending"
    tab.value(
        "(b => { b.value = 'G2'; b.dispatchEvent(new Event('input')); })(document.querySelector('[data-filter]'))"
    )
    assert tab.value(VISIBLE_ROWS) == 6  # g2 and g20 to g24
    prior = "getComputedStyle(document.querySelector('#glance .prior')).display"
    assert tab.value(prior) != "none"
    tab.value("document.querySelector('[data-toggle]').click()")
    assert tab.value(prior) == "none"
    assert tab.problems() == []


def test_cards_are_put_in_order(tab, pages):
    tab.open(pages["index"], 1280)
    choose = "(b => { b.value = '%s'; b.dispatchEvent(new Event('change')); })(document.querySelector('[data-order]'))"
    names = "[...document.querySelectorAll('.cards h2')].map(h => h.textContent)"
    assert tab.value(names) == ["groups", "a group", "groups"]
    for order in ("name", "level"):
        tab.value(choose % order)
        assert tab.value(names) == ["a group", "groups", "groups"]
        tab.value(choose % "place")
        assert tab.value(names) == ["groups", "a group", "groups"]


def test_a_row_is_marked_under_the_pointer(tab, page_path):
    tab.open(page_path, 1280)
    row = "document.querySelector('#glance tbody tr')"
    colour = f"getComputedStyle({row}).backgroundColor"
    before = tab.value(colour)
    tab.value(f"{row}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    place = tab.value(f"(r => [r.x + r.width - 5, r.y + r.height / 2])({row}.getBoundingClientRect())")
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    assert tab.value(colour) != before


def test_print_is_complete(tab, page_path):
    tab.open(page_path, 794, media="print")
    assert tab.value(VISIBLE_ROWS) == 28
    closed = "[...document.querySelectorAll('details > :not(summary)')].filter(e => !e.getClientRects().length).length"
    assert tab.value(closed) == 0
    assert tab.value("getComputedStyle(document.querySelector('.tools')).display") == "none"


def test_printed_numbers_are_on_one_line_within_the_paper(tab, page_path):
    """A4 has 700 pixels between its margins."""
    tab.open(page_path, 700, media="print")
    broken = "[...document.querySelectorAll('tbody td:not(.word, .status)')].filter(e => getComputedStyle(e).whiteSpace !== 'nowrap')"
    assert tab.value(f"{broken}.length") == 0
    assert tab.value("document.documentElement.scrollWidth") <= 700


def test_without_javascript_everything_is_there(tab, page_path):
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page_path, 1280)
        assert tab.value(VISIBLE_ROWS) == 28
        assert tab.value("document.querySelectorAll('button:not([hidden])').length") == 0
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


LONG_NAMES = [
    "effect_of_the_treatment_on_the_first_outcome[a school with a long name, the second period]",
    "effect.of.the.treatment[" + "x" * 90 + "]",
    "a" * 120,
    "mu",
]
COLUMNS = {
    "MLE": "−1.234 ± 0.056",
    "marginal_MLE": "−1.234 ± 0.056",
    "MAP": "−1.234",
    "mean": "−1.234",
    "truth": "−1.234",
}


@pytest.fixture
def crowded(comparison, tmp_path, monkeypatch):
    """A page whose estimates have long names and all columns, with numbers and with words."""
    found = glance(comparison)
    rows = []
    for name, missing in product(LONG_NAMES, ("", "not identified")):
        texts = {column: missing or text for column, text in COLUMNS.items()}
        texts |= {"mean": "−1.234", "interval": "−1.345 to −1.123", "KL": "0.1234 ± 0.0012"}
        keys = dict.fromkeys(texts, float("nan") if missing else 1.0)
        rows.append(replace(found.rows[0], name=name, derived=bool(missing), texts=texts, keys=keys, bar=1.0))
    columns = (*COLUMNS, "KL")
    monkeypatch.setattr("pp_mlekl.report.page.glance", lambda _: replace(found, rows=tuple(rows), columns=columns))
    return write_html(comparison, tmp_path / "crowded.html")


def test_the_estimates_fit_with_any_names(tab, crowded):
    for width in (390, 768, 1280, 1920):
        tab.open(crowded, width)
        assert tab.value(OVERFLOWING) == []
        assert tab.value("document.documentElement.scrollWidth") <= width
        cut = """[...document.querySelectorAll("#glance tbody th")].filter(e => e.scrollWidth > e.clientWidth + 1)
          .map(e => e.textContent)"""
        assert tab.value(cut) == []
    tab.open(crowded, 1280)
    box = "document.querySelector('#glance').closest('.scroll')"
    assert tab.value(f"{box}.scrollWidth - {box}.clientWidth") == 0
    assert (
        tab.value("Math.min(...[...document.querySelectorAll('.pic svg')].map(e => e.getBoundingClientRect().width))")
        > 200
    )
    titles = tab.value(
        "[...document.querySelectorAll('#glance tbody th')].map(e => e.querySelector('[title]')?.title || e.firstChild.data.trim())"
    )
    assert titles == [name for name in LONG_NAMES for _ in range(2)]
