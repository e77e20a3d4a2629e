"""``pp-mlekl study``: many simulated data sets, what their fits lose, and whether their intervals cover."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pp_mlekl.cli.errors import WRONG_USE, stop
from pp_mlekl.cli.options import Data, FixedSeed, Scheduler, Traceback, Workers, ending

if TYPE_CHECKING:
    import xarray as xr

    from pp_mlekl.typing import Array

# Two columns have up to six shares each.
_WIDTH_IN_A_PIPE = 140
_DIVERGENCE = {"mean KL": "kl", "+-": "kl_mcse", "theory": "kl_theory"}
# Kinds of intervals that are left to the page.
_NOT_PRINTED = ("naive", "unconstrained")


def study(
    builder: Annotated[
        str, typer.Argument(help="bernoulli, student_t_by_normal, naive_bayes_iris, ... or module:function")
    ],
    truth: Annotated[str | None, typer.Option(help="TOML file of parameters, or a text such as 'Gamma(2, 1)'")] = None,
    data: Data = None,
    sizes: Annotated[str, typer.Option(help="numbers of observations")] = "10,30,100,300,1000",
    replicates: Annotated[int, typer.Option(help="data sets of each size")] = 200,
    estimators: Annotated[
        str, typer.Option(help="mle, map, map_unconstrained, laplace, posterior, with commas")
    ] = "mle",
    intervals: Annotated[
        str, typer.Option(help="further ones: profile, parametric_bootstrap, case_bootstrap, with commas")
    ] = "",
    compute: Annotated[
        str | None,
        typer.Option(help="kl, coverage, with a comma; empty for the fits alone; by default all that is known"),
    ] = None,
    covariates: Annotated[
        str, typer.Option(help="fixed, or resampled: the model's rows drawn with replacement")
    ] = "fixed",
    own_data: Annotated[
        bool,
        typer.Option(
            "--simulate", help="draw data, with covariates and groups, by the module's simulate(n, truth, random_seed)"
        ),
    ] = False,
    seed: FixedSeed = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            help="file to keep the result in: .nc, or .zarr, from which a killed study goes on",
            callback=ending(".nc", ".zarr"),
        ),
    ] = None,
    page: Annotated[Path | None, typer.Option(help="HTML page to write", callback=ending(".html"))] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    traceback: Traceback = False,
) -> None:
    """Simulate, fit all data sets at once, and compare KL(true||fit) and coverage with theory."""
    from pp_mlekl.cli.cluster import cluster
    from pp_mlekl.cli.compare import short_name
    from pp_mlekl.cli.truths import builder_and_truth, model_and_truth, read_sizes
    from pp_mlekl.utils.files import check_page_target

    if page is not None:
        check_page_target(page)
    model: Any
    if own_data and data is not None:
        stop("--simulate draws the data; leave --data out.", WRONG_USE)
    if own_data:
        loaded, values = builder_and_truth(builder, truth)
        model, simulate = loaded.own_data()
    else:
        (model, values), simulate = model_and_truth(builder, truth, data), None
    from pp_mlekl.simulation.study import study as run

    with cluster(scheduler, workers) as client:
        tree = run(
            model,
            values,
            sizes=read_sizes(sizes),
            replicates=replicates,
            estimators=estimators.split(","),
            intervals=_names(intervals),
            compute=None if compute is None else _names(compute),
            covariates=covariates,  # type: ignore[arg-type]
            simulate=simulate,
            random_seed=seed,
            store=out,
            client=client,
            progress=True,
        )
    _print(tree)
    if page is not None:
        from pp_mlekl.report.study_page import write_study_page

        print(f"\n{write_study_page(tree, page, short_name(builder))}")


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _print(tree: "xr.DataTree") -> None:
    from pp_mlekl.cli.output import show_table
    from pp_mlekl.report.labels import INTERVALS, counted_intervals

    summary, rows = tree["summary"].to_dataset(), []
    kinds = [kind for kind in counted_intervals(summary) if kind not in _NOT_PRINTED]
    covered = {f"covered ({INTERVALS[kind][0]})": f"coverage_{kind}" for kind in kinds}
    divergence = {title: name for title, name in _DIVERGENCE.items() if name in summary}
    for estimator in summary["estimator"].values:
        for size in summary["size"].values:
            row = summary.sel(estimator=estimator, size=size)
            cells = [f"{row[name].item():.4g}" for name in divergence.values()]
            shares = [_shares(row[name].values) for name in covered.values()]
            rows.append([str(estimator), str(size), *cells, f"{1 - row['exists'].item():.2%}", *shares])
    titles = ["estimator", "n", *divergence, "no fit", *covered]
    show_table(titles, rows, (0, *(titles.index(title) for title in covered)), _WIDTH_IN_A_PIPE)
    if "kl" in summary:
        print("KL(true||fit) in nats per observation, mean over the data sets whose fit exists.")
    if covered:
        print("covered: share of data sets whose interval holds the parameter; the interval is made from")
        print(*(f"  {INTERVALS[kind][1]} ({INTERVALS[kind][0]})" for kind in kinds), sep="\n")


def _shares(values: "Array") -> str:
    return ", ".join("" if value != value else f"{value:.3f}" for value in values[:6])
