"""``pp-mlekl doctor``: the verdict alone, for scripts and continuous integration."""

import json
from pathlib import Path
from typing import Annotated, cast

import typer

from pp_mlekl.cli.options import Chains, Data, Draws, Potentials, Sampler, Seed, Traceback
from pp_mlekl.cli.output import Json
from pp_mlekl.typing import NutsSampler

_STATUS = {"ok": 0, "caution": 3, "problem": 4}


def doctor(
    builder: Annotated[str, typer.Argument(help="a name of the gallery, module:function or file.py:function")],
    truth: Annotated[Path | None, typer.Option(help="TOML file with true parameter values")] = None,
    data: Data = None,
    draws: Draws = 1000,
    chains: Chains = 4,
    seed: Seed = None,
    sampler: Sampler = "nutpie",
    potentials: Potentials = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Print the verdict of a comparison. Exit status: 0 sound, 3 use with the warnings in mind, 4 do not use."""
    from pp_mlekl.cli.compare import short_name
    from pp_mlekl.cli.data_files import read_data
    from pp_mlekl.cli.load_model import load_builder
    from pp_mlekl.cli.progress import steps
    from pp_mlekl.cli.report_file import read_truth

    loaded = load_builder(builder)
    values = read_truth(truth) if truth is not None else None
    model = loaded.build(read_data(data))
    from pp_mlekl.comparison.compare import compare
    from pp_mlekl.report.json_summary import json_verdict

    with steps(short_name(builder)) as say:
        verdict = compare(
            model,
            values,
            draws=draws,
            chains=chains,
            random_seed=seed,
            nuts_sampler=cast(NutsSampler, sampler),
            potentials=potentials,
            skip=["derived"],
            progress=say,
        ).verdict()
    status = _STATUS[verdict.level]
    print(json.dumps({**json_verdict(verdict), "exit_status": status}, indent=1) if as_json else verdict)
    raise typer.Exit(status)
