"""Make every attack and print the table of docs/reliability.md: ``python tests/robustness/attacks.py``."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import attacks_on_commands  # noqa: F401
import attacks_on_names  # noqa: F401
import attacks_on_reading  # noqa: F401
from attack import ATTACKS, make_all, table
from attacks_on_files import can_mount
from given import Given


def main() -> int:
    """Exit status 1 where an attack did harm."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        skipped = () if can_mount(folder / "disk") else ("full disks",)
        for kind in skipped:
            print(f"Not made, since this user may not mount a small disk: {kind}", file=sys.stderr)
        found = make_all([one for one in ATTACKS if one.kind not in skipped], folder, Given())
    print(table(found))
    for _, row in found[found["outcome"] != "held"].iterrows():
        print(f"{row['outcome']}: {row['kind']}: {row['name']}: {row['reason']}", file=sys.stderr)
    return int((found["outcome"] != "held").any())


if __name__ == "__main__":
    sys.exit(main())
