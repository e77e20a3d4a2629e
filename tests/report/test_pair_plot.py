"""The pair plot of a page: which panels there are, and which draws they show."""

import numpy as np
import pytest

from pp_mlekl.report.pair_plot import kept_draws, pair_plot


def draws(n=2000, **others):
    generator = np.random.default_rng(1)
    return {"tau": generator.gamma(2, size=n), "theta[a]": generator.normal(size=n), **others}


def diverging(n=2000):
    found = np.zeros(n, dtype=bool)
    found[[3, 700, 1999]] = True
    return found


def test_a_panel_for_each_pair_and_parameter_labelled_at_the_outside():
    figure = pair_plot(draws(mu=np.linspace(0, 1, 2000)), diverging())
    assert len(figure.axes) == 6
    assert [(a.get_xlabel(), a.get_ylabel()) for a in figure.axes] == [
        ("", ""), ("", "theta[a]"), ("", ""), ("tau", "mu"), ("theta[a]", ""), ("mu", ""),
    ]  # fmt: skip


def test_every_divergent_draw_is_marked_and_only_they():
    values = draws()
    panel = pair_plot(values, diverging()).axes[1]
    regular, divergent = panel.lines
    np.testing.assert_array_equal(divergent.get_xdata(), values["tau"][[3, 700, 1999]])
    np.testing.assert_array_equal(divergent.get_ydata(), values["theta[a]"][[3, 700, 1999]])
    assert len(regular.get_xdata()) + 3 == len(kept_draws(diverging()))
    assert regular.get_color() != divergent.get_color()


def test_limits_hold_all_points_and_are_those_of_the_column():
    values = draws(heavy=np.random.default_rng(2).standard_cauchy(2000))
    axes = pair_plot(values, diverging()).axes
    for panel in (axes[1], axes[3], axes[4]):
        for line in panel.lines:
            assert np.all((line.get_xdata() > panel.get_xlim()[0]) & (line.get_xdata() < panel.get_xlim()[1]))
            assert np.all((line.get_ydata() > panel.get_ylim()[0]) & (line.get_ydata() < panel.get_ylim()[1]))
    assert axes[0].get_xlim() == axes[1].get_xlim() == axes[3].get_xlim()


@pytest.mark.parametrize("constant", [0.0, 3.0, 1e300])
def test_a_constant_parameter_has_a_panel_without_a_density(constant):
    figure = pair_plot(draws(fixed=np.full(2000, constant)), diverging())
    low, high = figure.axes[-1].get_xlim()
    assert low < constant < high
    assert figure.axes[-1].lines[0].get_xdata().size == 0


def test_names_are_no_formulas():
    assert pair_plot(draws(**{"$x$": np.arange(2000.0)}), diverging()).axes[-1].get_xlabel() == r"\$x\$"
