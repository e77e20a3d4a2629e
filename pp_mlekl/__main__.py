"""``python -m pp_mlekl``: the command line."""

from pp_mlekl.cli.app import main

if __name__ == "__main__":
    main()
