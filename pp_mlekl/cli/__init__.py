"""The command line: parses, calls one public function, prints."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line: wrong use exits with 2, a failed run with 1, an interrupt with 130."""
    try:
        from pp_mlekl.cli.app import run

        run()
    except KeyboardInterrupt:
        print("pp-mlekl: Interrupted.", file=sys.stderr)
        sys.exit(130)
