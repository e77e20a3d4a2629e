"""Pages of studies and calibrations: every table and figure that there are data for."""

import re

import numpy as np
import pytest
import xarray as xr

from pp_mlekl.report.study_page import study_page, write_study_index, write_study_page
from pp_mlekl.report.study_plots import standardised_errors, study_figures


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
    levels = [level for level, _ in calibration.findings()]
    assert levels == sorted(levels, key=("problem", "caution", "ok").index)
    assert all(sentence in text for _, sentence in calibration.findings())
    with pytest.raises(ValueError, match="no ranks"):
        calibration.plot_ecdf("mle", ["log_likelihood"])


def test_errors_of_angles_take_the_shorter_arc():
    turned = np.array([[0.1, 0.1], [-0.1, -0.1], [0.3, 0.3], [-0.3, -0.3]])
    estimates = np.angle(np.exp(1j * (np.pi + turned)))
    replicates = xr.Dataset(
        {"angle": (("estimator", "size", "replicate", "of"), estimates[None, None])}
        | {"mu": (("estimator", "size", "replicate"), turned[None, None, :, 0] + 2.0)},
        coords={"exists": (("estimator", "size", "replicate"), np.ones((1, 1, 4), dtype=bool))},
    ).reset_coords()
    at = xr.Dataset({"angle": ("of", [np.pi, -np.pi]), "mu": 2.0}, attrs={"circular": '["angle"]'})
    tree = xr.DataTree.from_dict({"replicates": replicates, "pseudo_true": at})
    found = dict(standardised_errors(tree))
    assert list(found) == ["angle[0]", "angle[1]", "mu"]
    for scores in found.values():
        np.testing.assert_allclose(scores, turned[:, 0] / turned[:, 0].std(ddof=1))


def test_pictures_of_a_study_come_before_its_rows_of_numbers(coins):
    text = study_page(coins)
    for title in ("Excess divergence", "Coverage", "Bias"):
        assert text.index(f"<h3>{title}</h3>") < text.index("<table", text.index(f"<h3>{title}</h3>"))
    assert text.index("<h3>Coverage</h3>") < text.index('<th scope="row">p</th>')
