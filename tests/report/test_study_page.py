"""Pages of studies and calibrations: every table and figure that there are data for."""

import re

import pytest

from pp_mlekl.report.study_page import study_page, write_study_index, write_study_page
from pp_mlekl.report.study_plots import study_figures


@pytest.mark.slow
def test_the_figures_are_those_of_the_data(coins):
    found = study_figures(coins)
    assert list(found) == [
        "Bias",
        "Root mean squared error",
        "Coverage",
        "Excess divergence",
        "Estimates against the limit law",
        "Data sets without a regular maximum",
    ]
    assert all("<svg" in panel.content for panels in found.values() for panel in panels)


def test_parts_that_were_not_computed_are_not_drawn(coins):
    without = coins.copy()
    names = [n for n in without["summary"].data_vars if n.startswith(("coverage", "kl", "excess"))]
    without["summary"] = without["summary"].to_dataset().drop_vars(names)
    text = study_page(without)
    assert "Bias" in text
    assert not re.search("Excess divergence|Coverage", text)


def test_the_page_holds_every_number_of_the_summary(coins, tmp_path):
    text = write_study_page(coins, tmp_path / "study.html", "Coins <b>").read_text(encoding="utf-8")
    assert "Coins &lt;b&gt;" in text
    for size in (5, 20):
        share = coins["summary/coverage_estimated"].sel(estimator="mle", size=size, parameter="p").item()
        assert f"<td>{share:.3f}</td>" in text
    missing = coins["summary/status_count"].sel(estimator="mle", size=5, status=["plateau", "unconverged"]).values
    # A sample of zeros alone has the probability 0.17.
    assert missing.sum() > 0
    assert re.search("".join(rf"<td>{count}</td>" for count in missing), text)
    index = write_study_index({"Coins": ("study.html", coins)}, tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="study.html"' in index


def test_the_page_of_a_calibration(calibration, tmp_path):
    text = calibration.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("<svg") == 3
    assert all(sentence.split(";")[0] in text for sentence in calibration.sentences())
    with pytest.raises(ValueError, match="no ranks"):
        calibration.plot_ecdf("mle", ["log_likelihood"])
