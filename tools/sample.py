"""Make the sample page and the README's table and picture: ``python tools/sample.py`` (the picture needs Chromium)."""

import re
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import pp_mlekl as mk
from models import logistic_spector
from pp_mlekl.cli.report_file import read_specification
from pp_mlekl.report.markdown import write_markdown
from pp_mlekl.report.page import write_html

ROOT = Path(__file__).parents[1]
# The table of parameters, the one whose first column has this name.
TABLE = re.compile(r"^\| parameter \|.*\n(?:\|.*\n)+", re.MULTILINE)
JOINT = re.compile(r"KL\(posterior\\\|\\\|prior\) \| (?P<value>[^|]+) \|")


def main() -> None:
    """Compare as the report of the logistic regression does, and write to ``reports/sample``."""
    wanted = read_specification(ROOT / "reports" / "logistic_spector.toml")
    with warnings.catch_warnings():
        # The libraries' notes on performance and layout are not about the model.
        warnings.simplefilter("ignore")
        comparison = mk.compare(
            logistic_spector.build(),
            draws=wanted.draws,
            chains=wanted.chains,
            random_seed=wanted.seed,
            name=wanted.name,
            progress=print,
        )
        folder = ROOT / "reports" / "sample"
        folder.mkdir(exist_ok=True)
        write_html(comparison, folder / "logistic_spector.html", logistic_spector.__doc__ or "")
        write_markdown(comparison, folder / "logistic_spector.md")
        _photograph(folder / "logistic_spector.html", folder / "page.png")
        _renew_readme((folder / "logistic_spector.md").read_text(encoding="utf-8"))


def _photograph(page: Path, picture: Path) -> None:
    """The upper part of a page as PNG, by Chromium; the picture stays as it is without it."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print(f"Chromium is not installed; {picture.name} was not renewed.")
        return
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
    with tempfile.TemporaryDirectory() as profile:
        where = [f"--user-data-dir={profile}", "--window-size=1240,905", f"--screenshot={picture}", page.as_uri()]
        subprocess.run([program, *flags, *where], check=True, capture_output=True)


def _renew_readme(sample: str) -> None:
    table, joint = TABLE.search(sample), JOINT.search(sample)
    if table is None or joint is None:
        raise ValueError("The sample has no table of parameters, or no joint divergence.")
    readme = ROOT / "README.md"
    text = TABLE.sub(lambda _: table.group(), readme.read_text(encoding="utf-8"), count=1)
    text = re.sub(r"jointly it is .*? nats", f"jointly it is {joint['value']} nats", text)
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
