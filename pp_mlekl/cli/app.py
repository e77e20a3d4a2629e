"""Commands and their common handling of errors."""

import typer

from pp_mlekl.cli.compare import compare
from pp_mlekl.cli.compare_models import compare_models
from pp_mlekl.cli.gallery import list_models
from pp_mlekl.cli.kl import kl, rules
from pp_mlekl.cli.proof import proof
from pp_mlekl.cli.report import report
from pp_mlekl.cli.study import study

app = typer.Typer(
    name="pp-mlekl",
    help="Point estimates, Kullback-Leibler divergences and diagnostics of PyMC models, each with its error bar.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("list")(list_models)
app.command()(compare)
app.command("compare-models")(compare_models)
app.command()(report)
app.command()(kl)
app.command()(rules)
app.command()(proof)
app.command()(study)


def main() -> None:
    """Run the command line: wrong use exits with 2, a failed run with 1, an interrupt with 130."""
    app()
