"""The command line: parses, calls one public function, prints."""

from pp_mlekl.cli.app import main

__all__ = ["main"]
