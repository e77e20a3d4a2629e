"""``pp-mlekl calibrate``: whether posteriors, intervals and error bars are right, by simulation."""

from pathlib import Path
from typing import Annotated

import typer

from pp_mlekl.cli.options import Data, FixedSeed, Potentials, Scheduler, Traceback, Workers, ending


def calibrate(
    builder: Annotated[str, typer.Argument(help="a model of the gallery, module:function or file.py:function")],
    methods: Annotated[
        str, typer.Option(help="posterior, laplace, laplace_corrected, mle, with commas")
    ] = "posterior,laplace,mle",
    simulations: Annotated[int, typer.Option(help="simulated data sets")] = 200,
    truth: Annotated[str | None, typer.Option(help="another builder, to draw parameters and data from instead")] = None,
    data: Data = None,
    draws: Annotated[int, typer.Option(help="kept draws of each chain")] = 250,
    tune: Annotated[int, typer.Option(help="draws for tuning")] = 300,
    chains: Annotated[int, typer.Option(help="chains for each data set")] = 2,
    covariates: Annotated[
        str, typer.Option(help="fixed, or resampled: the model's rows drawn with replacement")
    ] = "fixed",
    own_data: Annotated[
        bool, typer.Option("--simulate", help="draw the data by the module's simulate(n, truth, random_seed)")
    ] = False,
    level: Annotated[float, typer.Option(help="probability that a right method is found wrong")] = 0.01,
    seed: FixedSeed = 1,
    potentials: Potentials = None,
    store: Annotated[
        Path | None, typer.Option(help=".zarr folder, from which a killed run goes on", callback=ending(".zarr"))
    ] = None,
    out: Annotated[Path | None, typer.Option(help="HTML page to write", callback=ending(".html"))] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    traceback: Traceback = False,
) -> None:
    """Simulate from the prior, fit everything, and test whether true values lie where the results say."""
    from pp_mlekl.cli.cluster import cluster
    from pp_mlekl.cli.compare import short_name
    from pp_mlekl.cli.data_files import read_data
    from pp_mlekl.cli.load_model import load_builder
    from pp_mlekl.utils.files import check_page_target

    if out is not None:
        check_page_target(out)
    loaded = load_builder(builder)
    simulate = loaded.simulate() if own_data else None
    model = loaded.build(read_data(data))
    source = None if truth is None else load_builder(truth).build()
    from pp_mlekl.simulation.calibrate import calibrate as run

    with cluster(scheduler, workers) as client:
        found = run(
            model,
            methods=[name for name in methods.split(",") if name],
            simulations=simulations,
            truth=source,
            draws=draws,
            tune=tune,
            chains=chains,
            covariates=covariates,  # type: ignore[arg-type]
            simulate=simulate,
            level=level,
            client=client,
            store=store,
            potentials=potentials,
            random_seed=seed,
            progress=True,
        )
    print(found)
    print(*(sentence for _, sentence in found.findings()), sep="\n")
    if out is not None:
        print(f"\n{found.to_html(out, f'{short_name(builder)}: calibration')}")
