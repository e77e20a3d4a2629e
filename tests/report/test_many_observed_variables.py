"""More observed variables than ArviZ draws panels: every picture is there, and its caption says what is left out."""

import numpy as np
import pymc as pm
import pytest

import pp_mlekl as mk


@pytest.mark.slow
def test_fifty_observed_variables_have_all_pictures(tmp_path):
    generator = np.random.default_rng(1)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        for i in range(50):
            pm.Normal(f"y{i}", mu, 1, observed=generator.normal(size=5))
    page = mk.compare(model, draws=100, chains=2, random_seed=1).to_html(tmp_path / "c.html").read_text("utf-8")
    assert "could not be drawn" not in page
    assert page.count("12 of 50 observed variables shown") >= 2
