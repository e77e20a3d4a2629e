"""Equations in LaTeX: what TeX reads, and nothing it would stumble over."""

import importlib

import pytest

from pp_mlekl.cli.gallery import gallery_modules
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.pymc_model.model_summary import describe_variables
from pp_mlekl.report.equations import latex_equations


def line(distribution, name="y", kind="observed"):
    return latex_equations([{"name": name, "kind": kind, "distribution": distribution}]).splitlines()[1]


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        ("Normal(mu=mu, sigma=50)", r"\operatorname{Normal}(\mu = \mu, \sigma = 50)"),
        (
            "Poisson(log_mu=a + data @ slope)",
            r"\operatorname{Poisson}(\mathrm{log\_mu} = a + \mathrm{data} \, \mathrm{slope})",
        ),
        ("MvNormal(mu=0, cov=f(tau)[...])", r"\operatorname{MvNormal}(\mu = 0, \mathrm{cov} = f(\tau)[\ldots ])"),
        ("Gamma(2 * tau, 1e-05)", r"\operatorname{Gamma}(2 \cdot  \tau, 1e-05)"),
    ],
)
def test_distributions(distribution, expected):
    assert line(distribution) == rf"y &\sim {expected}"


def test_names_and_kinds():
    assert line("Normal(0, 1)", name="log_radon").startswith(r"\mathrm{log\_radon} &\sim")
    assert line("penalty(mu)", kind="potential").startswith("y &: ")
    assert line("mu + tau * eta", kind="deterministic").replace("  ", " ") == r"y &= \mu + \tau \cdot \eta"


@pytest.mark.parametrize("module", [name for name in gallery_modules() if name in ("radon", "sleepstudy", "wine")])
def test_models_have_a_line_for_each_variable(module):
    variables = describe_variables(model_functions(importlib.import_module(f"pp_mlekl.gallery.{module}").build()))
    text = latex_equations(variables)
    assert len(text.splitlines()) == len(variables) + 2
    assert text.count("{") == text.count("}")
