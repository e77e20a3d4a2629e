"""Commands and their common handling of errors."""

import io
import os
import sys
from typing import Annotated

import typer

from pp_mlekl.cli.calibrate import calibrate
from pp_mlekl.cli.compare import compare
from pp_mlekl.cli.compare_models import compare_models
from pp_mlekl.cli.doctor import doctor
from pp_mlekl.cli.errors import INTERRUPTED, Command, Commands, Stopped, stop
from pp_mlekl.cli.gallery import list_models
from pp_mlekl.cli.kl import kl, rules
from pp_mlekl.cli.proof import proof
from pp_mlekl.cli.report import report
from pp_mlekl.cli.studies import studies
from pp_mlekl.cli.study import study

app = typer.Typer(
    name="pp-mlekl",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"pp_mlekl {version('pp_mlekl')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Point estimates, Kullback-Leibler divergences and diagnostics of PyMC models, each with its error bar."""


app.command("list", cls=Command)(list_models)
app.command(cls=Command)(compare)
app.command("compare-models", cls=Command)(compare_models)
app.command(cls=Command)(report)
app.command(cls=Command)(doctor)
app.command(cls=Command)(kl)
app.command(cls=Command)(rules)
app.command(cls=Command)(proof)
app.command(cls=Command)(study)
app.command(cls=Command)(studies)
app.command(cls=Command)(calibrate)


def run() -> None:
    """Run the command line; a closed or full standard output is an error of one line."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal may know less than Unicode, and a path need not be text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SystemExit as ended:
        if ended.code == INTERRUPTED and not isinstance(ended, Stopped):
            stop("Interrupted.", INTERRUPTED)
        raise
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            # At its exit the interpreter would try again to write what could not be written, and change the status.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
