"""Matplotlib's settings for a figure, which are those of all threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

from pp_mlekl.utils.shared_state import alone


@contextmanager
def styled(settings: dict[Any, Any]) -> Iterator[None]:
    """Draw by Matplotlib's defaults and these settings, one thread at a time.

    Matplotlib's settings and its list of figures are shared. Settings of the user, or of an imported package (PreliZ sets
    ``savefig.bbox``), do not change a page.
    """
    with alone():
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(settings)
            yield
            # Jupyter's backend switches it on when the first figure loads it, perhaps here.
            interactive = mpl.is_interactive()
        mpl.interactive(interactive)
