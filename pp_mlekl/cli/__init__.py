"""The command line: parses, calls one public function, prints."""

import _thread
import sys
import time
from typing import Any

__all__ = ["main"]

# Seconds until an interrupt that Python ignored is raised again.
_REPEATED_AFTER = 0.02


def main() -> None:
    """Run the command line: wrong use exits with 2, a failed run with 1, an interrupt with 130."""
    sys.unraisablehook = _deliver_interrupt
    try:
        from pp_mlekl.cli.app import run

        run()
    except KeyboardInterrupt:
        print("pp-mlekl: Interrupted.", file=sys.stderr)
        sys.exit(130)


def _deliver_interrupt(unraisable: Any) -> None:
    """Raise an interrupt again if it came during a destructor or a callback, where Python ignores exceptions."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        # In this function an exception is ignored as well.
        _thread.start_new_thread(_interrupt_later, ())
    else:
        sys.__unraisablehook__(unraisable)


def _interrupt_later() -> None:
    time.sleep(_REPEATED_AFTER)
    _thread.interrupt_main()
