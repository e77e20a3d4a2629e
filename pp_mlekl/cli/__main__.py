"""Run as ``python -m pp_mlekl.cli``."""

from pp_mlekl.cli.app import main

main()
