"""The page of a comparison as a document: its parts, their order, the numbers in them."""

import base64
import html
import io
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pp_mlekl.report.badges import badges
from pp_mlekl.report.estimates import FIRST_ROWS, glance, ticks
from pp_mlekl.report.page import index_card, picture, write_index


class Document(HTMLParser):
    """Tags with their attributes, and the texts of headings."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self._heading = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append((tag, ""))
            self._heading = tag

    def handle_endtag(self, tag):
        if tag == self._heading:
            self._heading = None

    def handle_data(self, data):
        if self._heading:
            self.headings[-1] = (self._heading, self.headings[-1][1] + data)

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.tags if attrs.get(name) is not None]


@pytest.fixture(scope="module")
def text(page_path):
    return page_path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def document(text):
    return Document(text)


def test_sections_come_in_the_order_in_which_they_are_read(document):
    ids = [attrs["id"] for tag, attrs in document.tags if tag == "section" and "id" in attrs]
    assert ids == ["estimates", "learned", "fits", "checks", "sampling", "optimization", "model", "reproduce"]
    links = [h[1:] for h in document.attributes("href") if h.startswith("#") and len(h) > 1]
    known = set(document.attributes("id"))
    assert set(ids) <= set(links) <= known


def test_headings_are_nested(document):
    levels = [int(tag[1]) for tag, _ in document.headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_nothing_comes_from_outside(document, text):
    for name in ("src", "href"):
        assert all(value.startswith(("#", "data:")) for value in document.attributes(name))
    assert not re.search(r"@import|url\((?!#)", text)
    assert len(text) < 3_000_000


def test_ids_are_unique_and_references_lead_somewhere(text):
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'xlink:href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
    assert used <= set(ids)


def test_pictures_are_svg_with_a_size_and_a_label(document):
    pictures = [attrs for tag, attrs in document.tags if tag == "svg"]
    assert len(pictures) > 40
    assert all(p["role"] == "img" and p["aria-label"] and p["width"] and p["height"] and p["viewbox"] for p in pictures)
    assert not [tag for tag, _ in document.tags if tag == "img"]


def test_colours_are_those_of_the_page(text):
    """Only white and transparent colours are equal in both schemes."""
    body = text.split("</style>")[1]
    colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", body))
    assert colours <= {"#ffffff"}, colours


def test_badges_are_sorted_and_lead_to_their_evidence(comparison, document):
    found = badges(comparison)
    order = ["problem", "caution", "ok"]
    assert [b.level for b in found] == sorted((b.level for b in found), key=order.index)
    assert {b.topic for b in found} >= {"Sampling", "MLE", "MAP", "Information", "Fit"}
    assert {b.href for b in found} <= set(document.attributes("id"))


def test_a_row_has_the_numbers_of_the_summary(comparison):
    rows = {row.name: row for row in glance(comparison).rows}
    table = comparison.summary()
    assert list(rows) == [*table.index, "ratio"]
    assert rows["ratio"].derived
    assert not rows["mu"].derived
    for name in ("mu", "theta[g3]"):
        row = rows[name]
        assert row.keys["MLE"] == pytest.approx(table.loc[name, "MLE"])
        assert row.keys["truth"] == pytest.approx(table.loc[name, "truth"])
        assert row.bar == pytest.approx(max(table.loc[name, "KL"] / table["KL"].max(), 0))
        assert all(f'class="{kind}"' in row.picture for kind in ("prior", "post", "ci", "truth", "mle", "se", "map"))


def test_first_rows_are_announced(comparison, text):
    found = glance(comparison)
    assert found.total == 28
    assert f"{FIRST_ROWS} of 28 rows shown (27 parameters" in text
    assert text.count('<td class="pic">') == 28


def test_prior_curve_is_the_density_of_the_prior(comparison):
    """Heights in a row are proportional to densities: for a normal prior their logarithms differ by a parabola."""
    (row,) = [r for r in glance(comparison).rows if r.name == "theta[g0]"]
    path = re.search(r'class="prior" d="M0,38L([^"]*)L320,38z"', row.picture)[1]
    points = np.array([[float(v) for v in p.split(",")] for p in path.split("L")])
    x, height = points[:, 0], 38 - points[:, 1]
    inside = (height > 3) & (height < 34)
    fit = np.polynomial.Polynomial.fit(x[inside], np.log(height[inside]), 2)
    assert np.abs(fit(x[inside]) - np.log(height[inside])).max() < 0.05


def test_names_and_texts_are_escaped(text):
    assert "Twenty-five groups &lt;of&gt; four." in text
    assert "Simulated data &amp; more." in text


def test_tables_can_be_downloaded(comparison, document):
    files = {attrs["download"]: attrs["href"] for tag, attrs in document.tags if tag == "a" and "download" in attrs}
    assert set(files) == {f"groups_{t}.{e}" for t in ("estimates", "divergences") for e in ("csv", "json", "tex")}
    content = base64.b64decode(files["groups_estimates.csv"].partition(",")[2]).decode()
    frame = pd.read_csv(io.StringIO(content), index_col="parameter")
    np.testing.assert_allclose(frame["mean"], comparison.summary()["mean"])
    latex = base64.b64decode(files["groups_estimates.tex"].partition(",")[2]).decode()
    assert r"ess\_bulk" in latex
    assert not re.search(r"(?<!\\)_", latex)


def test_index_has_a_card_for_each_model(comparison, tmp_path):
    card = index_card(comparison)
    entries = [
        {"href": "a.html", "name": "a", "shows": "First.", "findings": [("ok", "Fine.")], "card": card},
        {"href": "", "name": "b", "shows": "", "findings": [("problem", "No page.")]},
    ]
    text = write_index(entries, tmp_path / "index.html").read_text(encoding="utf-8")
    assert text.count("<h2>") == 2
    assert text.count("<svg") == len(card["rows"]) == 3
    assert all(b.word in text for b in card["badges"])


@pytest.mark.parametrize(("low", "high"), [(-1.3, 2.2), (0, 1e-3), (1e6, 2.5e6), (0.101, 0.104), (-3e4, 5e4)])
def test_ticks_are_round_and_few(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    assert all(low <= t <= high for t, _ in found)
    assert len({text for _, text in found}) == len(found)


def test_equations_have_the_arguments_of_the_model(comparison, text):
    distributions = {v["name"]: v["distribution"] for v in comparison.variables}
    assert distributions["mu"] == "Normal(mu=0, sigma=5)"
    assert distributions["sigma"] == "HalfNormal(sigma=2)"
    assert distributions["y"] == "Normal(mu=mu + theta[...] * data, sigma=sigma)"
    assert distributions["y"] in text


def test_graph_has_an_arrow_for_each_direct_parent(comparison, text):
    arrows = sum(len(v["direct"]) for v in comparison.variables)
    graph = text[text.index('<svg class="graph"') :].partition("</svg>")[0]
    assert graph.count("<line") == arrows == 3
    assert graph.count('class="observed"') == 1


@pytest.mark.slow
def test_sections_link_to_the_guide(comparison, tmp_path):
    text = comparison.to_html(tmp_path / "page.html", guide="guide.html").read_text(encoding="utf-8")
    links = re.findall(r'href="guide.html#read-(\w+)"', text)
    assert links == ["estimates", "learned", "fits", "checks", "sampling", "optimization", "model", "reproduce"]


def test_the_interval_has_its_percentage(page_path):
    text = page_path.read_text(encoding="utf-8")
    assert "posterior mean, 89% interval" in text
    assert "posterior, with 89% interval below" in text


def test_a_card_shows_one_finding_and_folds_the_others_away(tmp_path):
    findings = [("problem", "Do not use."), ("problem", "Second."), ("caution", "Third.")]
    entry = {"href": "a.html", "name": "a", "shows": "", "findings": findings}
    text = write_index([entry], tmp_path / "index.html").read_text(encoding="utf-8")
    shown, folded = text.split("<details")[0], text.split("<details")[1].split("</details>")[0]
    assert "Do not use." in shown
    assert "Second." not in shown
    assert "Second." in folded
    assert "Third." in folded


def chips(text):
    return re.findall(r"<li>([^<]*)</li>", text.partition('aria-label="Settings"')[2].partition("</ul>")[0])


def test_what_it_was_made_from(comparison, text):
    attributes = comparison.tree.attrs
    found = chips(text)
    assert found[:4] == ["100 observations", "27 parameters", f"2 × 150 draws, {attributes['sampler']}", "seed 1"]
    assert found[4:] == [f"{attributes['run_time_seconds']:.3g} s"]
    assert '<p class="lead">Twenty-five groups &lt;of&gt; four.</p>' in text
    assert "<p>Simulated data &amp; more.</p>" in text
    code = text.partition("mk.compare(model,")[2].partition("</code>")[0]
    sampler = attributes["sampler"]
    assert html.unescape(code) == (
        f' truth, draws=150, chains=2, nuts_sampler="{sampler}",\n               random_seed=1)\nc.to_html("page.html")\n'
        'c.save("comparison.nc")  # mk.load("comparison.nc") reads it'
    )
    names = ["pp_mlekl", "PyMC", "PyTensor", "ArviZ", "nutpie", "NumPy", "SciPy", "xarray"]
    versions = [
        f"{name} {attributes[f'{name.lower()}_version']}" for name in names if f"{name.lower()}_version" in attributes
    ]
    assert ", ".join(versions) + ".</p>" in text
    assert {"PyMC", "NumPy"} < {v.partition(" ")[0] for v in versions}


def test_numbers_in_downloads_have_their_digits(comparison, document):
    files = {attrs["download"]: attrs["href"] for tag, attrs in document.tags if tag == "a" and "download" in attrs}
    kinds = {name.rpartition(".")[2]: address.partition(";")[0] for name, address in files.items()}
    assert kinds == {"csv": "data:text/csv", "json": "data:application/json", "tex": "data:application/x-tex"}
    contents = {name: base64.b64decode(address.partition(",")[2]).decode() for name, address in files.items()}
    summary = comparison.summary()
    records = json.loads(contents["groups_estimates.json"])
    assert [r["parameter"] for r in records] == list(summary.index)
    np.testing.assert_allclose([r["mean"] for r in records], summary["mean"], atol=1e-11)
    assert f"{summary['mean'].iloc[0]:.4g}" in contents["groups_estimates.tex"]
    assert r"theta[g0]" in contents["groups_estimates.tex"]
    assert contents["groups_divergences.csv"].splitlines()[0] == ",".join(comparison.divergences().columns)


def test_pictures_that_could_not_be_drawn_say_why():
    def fail(_):
        raise RuntimeError("two\n  lines")

    broken = picture(fail, None, "A title", "A caption")
    assert (broken.title, broken.caption, broken.panels) == ("A title", "", ())
    assert broken.missing == "This plot could not be drawn (RuntimeError: two lines)."
    assert picture(lambda _: None, None, "A title", "A caption") is None


@pytest.mark.parametrize("wide", [True, False])
def test_a_wide_picture_is_one_panel(wide):
    def draw(_):
        figure = Figure()
        for place in (1, 2):
            figure.add_subplot(1, 2, place).set_title(f"title {place}")
        return figure

    found = picture(draw, 7, "Two, of them", lambda given: f"Given {given}.", wide)
    assert (found.wide, found.caption, found.missing, len(found.panels)) == (wide, "Given 7.", "", 1 if wide else 2)
    assert 'id="twoofthem' in found.panels[0].content
    assert [p.title for p in found.panels] == ([""] if wide else ["title 1", "title 2"])


def test_a_card_has_sizes(comparison):
    card = index_card(comparison)
    assert card["facts"] == "100 observations, 27 parameters"
    assert [name for name, _ in card["rows"]] == [row.name for row in glance(comparison).rows[:3]]
    assert card["badges"] == badges(comparison)
