"""Commands as a user gives them."""

from typer.testing import CliRunner

from pp_mlekl.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])
