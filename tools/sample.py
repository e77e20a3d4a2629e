"""Make the sample page, its tables in Markdown and the README's picture again: ``python tools/sample.py``."""

import warnings
from pathlib import Path

import pp_mlekl as mk
from models import logistic_spector
from pp_mlekl.cli.specification import read_specification
from pp_mlekl.report import write_html, write_markdown

ROOT = Path(__file__).parents[1]


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


if __name__ == "__main__":
    main()
