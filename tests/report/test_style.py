"""Settings of figures end with them; what Jupyter's backend switches on while it is loaded stays on."""

import matplotlib as mpl
import pytest

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
