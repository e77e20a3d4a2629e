"""Settings of figures end with them and do not depend on the user's; what Jupyter's backend switches on stays on."""

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from pp_mlekl.report.figures import STYLE, panels
from pp_mlekl.report.style import styled


@pytest.mark.parametrize("switched", [True, False])
def test_settings_end_and_interactive_display_stays(switched):
    before, width = mpl.is_interactive(), mpl.rcParams["lines.linewidth"]
    try:
        with styled({"lines.linewidth": width + 1}):
            assert mpl.rcParams["lines.linewidth"] == width + 1
            mpl.interactive(switched)
        assert mpl.is_interactive() is switched
        assert mpl.rcParams["lines.linewidth"] == width
    finally:
        mpl.interactive(before)


@pytest.mark.parametrize(
    "setting", [{"savefig.bbox": "tight"}, {"ytick.labelsize": 20}, {"figure.dpi": 200}, {"xtick.direction": "in"}]
)
def test_panels_do_not_depend_on_the_settings_of_the_user(setting):
    def drawn():
        with styled(STYLE):
            figure = Figure(figsize=(4, 2))
            axis = figure.subplots()
            axis.plot([0, 1], [0, 2])
            axis.set_yticks([0, 2], ["a long label", "other"])
        return panels(figure, "one", "Label")

    expected = drawn()
    with mpl.rc_context(setting):
        assert drawn() == expected
