"""``python -m pp_mlekl``: the command line."""

import sys

from pp_mlekl.cli import main

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # The current folder, which Python puts first: a file there may be called as any library is.
        del sys.path[0]
    main()
