"""The command line: parses, calls one public function, prints."""

import _thread
import sys
from typing import Any

__all__ = ["main"]


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
    """Raise an interrupt again if it came during a destructor, where Python ignores exceptions."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(unraisable)
