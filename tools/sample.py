"""Make the sample page and the README's table and picture again: ``python tools/sample.py``."""

import re
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
        figure = comparison.plot_prior_posterior()
        figure.savefig(folder / "prior_posterior.png", dpi=110, bbox_inches="tight", metadata={"Software": None})
        _renew_readme((folder / "logistic_spector.md").read_text(encoding="utf-8"))


def _renew_readme(sample: str) -> None:
    table, joint = TABLE.search(sample), JOINT.search(sample)
    if table is None or joint is None:
        raise ValueError("The sample has no table of parameters, or no joint divergence.")
    readme = ROOT / "README.md"
    text = TABLE.sub(lambda _: table.group(), readme.read_text(encoding="utf-8"), count=1)
    text = re.sub(r"Jointly it is .* nats\.", f"Jointly it is {joint['value']} nats.", text)
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
