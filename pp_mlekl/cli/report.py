"""``pp-mlekl report``: many models, a page each, and an index."""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from pp_mlekl.cli.cluster import cluster
from pp_mlekl.cli.gallery import entries
from pp_mlekl.cli.options import Scheduler, Traceback, folder_option
from pp_mlekl.cli.report_build import Built, Task, build, check_summaries, check_targets, index_entry, write_summaries
from pp_mlekl.cli.report_file import Specification, read_specification, specification_schema
from pp_mlekl.utils.files import check_page_target, file_names, writable_folder
from pp_mlekl.utils.parallel import done_by_worker

# Of the gallery's reports.
_SEED = 20261


def report(
    specifications: Annotated[list[Path] | None, typer.Argument(help="TOML files, e.g. reports/*.toml")] = None,
    gallery: Annotated[bool, typer.Option("--gallery", help="every builder of the gallery, too")] = False,
    out: Annotated[Path, folder_option("the pages")] = Path("pages"),
    force: Annotated[bool, typer.Option("--force", help="make every page anew, changed or not")] = False,
    workers: Annotated[int, typer.Option(min=1, help="number of reports that are made at the same time")] = 1,
    scheduler: Scheduler = None,
    check: Annotated[bool, typer.Option("--check", help="build the models and check all settings, no more")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON schema of the TOML files")] = False,
    guide: Annotated[str, typer.Option(help='address of the documentation\'s page "How to read a page"')] = "",
    traceback: Traceback = False,
) -> None:
    """Every report's page, tree and numbers, an index, and all numbers in report.json. Reports are made anew where something has changed.

    What counts is the specification, the builder's source, the data, the settings and the versions of packages. A report
    that fails is shown in the index, and the others are made all the same.
    """
    if schema:
        print(json.dumps(specification_schema(), indent=1))
        return
    wanted = [read_specification(path) for path in specifications or ()] + (_of_gallery() if gallery else [])
    if not wanted:
        raise ValueError("Name at least one TOML file, e.g. reports/*.toml, or choose --gallery.")
    stems = file_names([specification.name.lower() for specification in wanted], taken=["index", "report"])
    tasks = [
        Task(
            specification=one,
            stem=out.resolve() / stem,
            force=force,
            only_check=check,
            guide=guide,
            traceback=traceback,
        )
        for one, stem in zip(wanted, stems, strict=True)
    ]
    if not check:
        writable_folder(out)
        check_page_target(out / "index.html")
        check_summaries(out / "report.json")
        for task in tasks:
            check_targets(task)
    with cluster(scheduler, None) as client:
        built = list(_all(tasks, workers, client))
    if not check:
        from pp_mlekl.report.page import write_index

        index = write_index([index_entry(one.summary) for one in built], out / "index.html")
        numbers = write_summaries(built, out / "report.json")
        pages = [out / one.summary["href"] for one in built if "href" in one.summary]
        for path in [*pages, index, numbers]:
            print(path.resolve())
    raise typer.Exit(max(one.status for one in built))


def _of_gallery() -> list[Specification]:
    """A report of each builder of the gallery, called after its data and what tells it from others of the same data."""
    found = entries()
    modules_of = {e.data: {other.module for other in found if other.data == e.data} for e in found}
    specifications = []
    for entry in found:
        parts = [entry.module] if len(modules_of[entry.data]) > 1 else []
        parts += [] if entry.function == "build" else [entry.function.removeprefix("build_")]
        more = f" ({' '.join(parts).replace('_', ' ')})" if parts else ""
        specifications.append(Specification(builder=entry.name, name=f"{entry.data}{more}", seed=_SEED))
    return specifications


def _all(tasks: Sequence[Task], workers: int, client: Any) -> Iterator[Built]:
    """What became of each task, in order; progress goes to standard error."""
    for place, (task, built) in enumerate(zip(tasks, _in_order(tasks, workers, client), strict=True), 1):
        how = "failed" if built.status else "checked" if task.only_check else "made" if built.changed else "unchanged"
        print(f"[{place}/{len(tasks)}] {task.specification.name}: {how}", file=sys.stderr, flush=True)
        yield built


def _in_order(tasks: Sequence[Task], workers: int, client: Any) -> Iterator[Built]:
    if client is not None:
        # Workers of other machines write to the same folder.
        futures = client.map(partial(done_by_worker, build), tasks, pure=False)
        yield from (future.result() for future in futures)
        return
    if min(workers, len(tasks)) == 1:
        yield from map(build, tasks)
        return
    # New processes, for threads of this one may hold locks. Each has its share of the processors.
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    os.environ |= {name: os.environ.get(name, threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    # An interrupt of the terminal ends a worker at once; files are written atomically.
    ends = (signal.SIGINT, signal.SIG_DFL)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tasks)), context, initializer=signal.signal, initargs=ends)
    try:
        yield from pool.map(build, tasks)
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
