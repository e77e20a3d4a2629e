"""``pp-mlekl studies``: grids of studies from TOML files, a page each and one index."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pp_mlekl.cli.options import Scheduler, Traceback, Workers, folder_option


def studies(
    specifications: Annotated[list[Path], typer.Argument(help="TOML files, such as studies/*.toml")],
    out: Annotated[Path, folder_option("stores, pages and index")] = Path("studies"),
    workers: Workers = None,
    scheduler: Scheduler = None,
    traceback: Traceback = False,
) -> None:
    """Run every study of every grid: builders, their arguments and truths crossed; a killed run goes on where it stopped."""
    from pp_mlekl.cli.cluster import cluster
    from pp_mlekl.cli.study_file import read_grid
    from pp_mlekl.utils.files import check_page_target, file_names, writable_folder

    grids = [(path, read_grid(path)) for path in specifications]
    named = [(name, one) for _, grid in grids for name, one in grid.studies()]
    folder = writable_folder(out)
    check_page_target(folder / "index.html")
    from pp_mlekl.report.study_page import write_study_index, write_study_page
    from pp_mlekl.simulation.study import study

    # A mistake in the last one shows before the first one is run.
    loaded = [(name, *one.load()) for name, one in named]
    found: dict[str, tuple[str, Any]] = {}
    stems = file_names([name for name, *_ in loaded], taken=["index"])
    with cluster(scheduler, workers) as client:
        for (name, model, truth, settings), stem in zip(loaded, stems, strict=True):
            tree = study(model, truth, store=folder / f"{stem}.zarr", client=client, progress=True, **settings)
            print(write_study_page(tree, folder / f"{stem}.html", name))
            found[name] = (f"{stem}.html", tree)
    print(write_study_index(found, folder / "index.html"))
