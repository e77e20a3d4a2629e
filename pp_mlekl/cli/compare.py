"""``pp-mlekl compare``: one model to a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pp_mlekl.cli.load_model import Builder, load_builder
from pp_mlekl.cli.options import Chains, Data, Draws, Potentials, Sampler, Seed, Traceback, folder_option
from pp_mlekl.cli.output import Csv, Json, Latex, check_format, print_as, show_comparison, summary_table


def compare(
    builder: Annotated[str, typer.Argument(help="a name of the gallery, module:function or file.py:function")],
    truth: Annotated[Path | None, typer.Option(help="TOML file with true parameter values")] = None,
    data: Data = None,
    draws: Draws = 1000,
    chains: Chains = 4,
    seed: Seed = None,
    sampler: Sampler = "nutpie",
    potentials: Potentials = None,
    out: Annotated[Path, folder_option("the page, the Markdown and the NetCDF file")] = Path("."),
    as_json: Json = False,
    as_csv: Csv = False,
    as_latex: Latex = False,
    traceback: Traceback = False,
) -> None:
    """Fit a model in every way, compare the fits, and write a page."""
    from pp_mlekl.cli.data_files import read_data
    from pp_mlekl.cli.report_file import read_truth
    from pp_mlekl.report.json_summary import json_summary
    from pp_mlekl.utils.files import writable_folder

    check_format(as_json, as_csv, as_latex)
    folder = writable_folder(out)
    loaded = load_builder(builder)
    values = read_truth(truth) if truth is not None else None
    (name,), (stem,) = names_of([builder])
    result, page = fit_and_write(
        loaded,
        loaded.build(read_data(data)),
        name,
        folder / stem,
        truth=values,
        draws=draws,
        chains=chains,
        random_seed=seed,
        nuts_sampler=sampler,
        potentials=potentials,
    )
    content = {**json_summary(result), "page": str(page)} if as_json else None
    table = summary_table(result)
    if not print_as(table, as_json=as_json, as_csv=as_csv, as_latex=as_latex, content=content):
        show_comparison(result)
        print(f"\n{page}")


def fit_and_write(
    builder: Builder, model: Any, name: str, stem: Path, *, guide: str = "", home: str = "", **settings: Any
) -> tuple[Any, Path]:
    """The comparison of a builder's model, and its page.

    Parameters
    ----------
    builder, model, name
        What is compared, and what it is called.
    stem
        The path of the files without their extensions.
    guide, home
        Addresses to which the page links: of the documentation's "How to read a page", and of an index.
    **settings
        Of ``compare``.
    """
    from pp_mlekl.cli.progress import steps
    from pp_mlekl.comparison.compare import compare as run
    from pp_mlekl.report.markdown import write_markdown
    from pp_mlekl.report.page import write_html

    targets = check_targets(stem)
    with steps(name) as say:
        result = run(model, name=name, progress=say, **settings)
        say("writing the page")
        # What took long is kept first.
        result.save(targets[0])
        write_markdown(result, targets[1])
        page = write_html(result, targets[2], builder.about, guide, home)
    return result, page


def check_targets(stem: Path) -> list[Path]:
    """The NetCDF, Markdown and HTML files of a comparison, refused before anything is computed where they may not be written."""
    from pp_mlekl.comparison.storage import check_saving
    from pp_mlekl.utils.files import check_page_target

    targets = [stem.with_name(f"{stem.name}.{kind}") for kind in ("nc", "md", "html")]
    check_saving(targets[0])
    for page in targets[1:]:
        check_page_target(page)
    return targets


def names_of(builders: Sequence[str], taken: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Names of the builders' models and of their files without extension; all are different.

    A name that differs from the builder's is printed on standard error.
    """
    import sys

    from pp_mlekl.utils.files import file_names

    short = [short_name(builder) for builder in builders]
    stems = file_names(short, taken)
    names = [stem if short.count(name) > 1 else name for name, stem in zip(short, stems, strict=True)]
    for builder, name, stem in zip(builders, names, stems, strict=True):
        if stem != short_name(builder):
            print(f"{builder}: the model is called {name}, its files {stem}.*", file=sys.stderr)
    return names, stems


def short_name(builder: str) -> str:
    """The names of a builder's model and files."""
    module, _, function = builder.partition(":")
    stem = Path(module).stem if module.endswith(".py") else module.rpartition(".")[2]
    return stem if function in ("", "build") else f"{stem}-{function.removeprefix('build_')}"
