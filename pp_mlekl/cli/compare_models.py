"""``pp-mlekl compare-models``: several models of the same data: a page for each and one that compares them."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pp_mlekl.cli.compare import check_targets, fit_and_write, names_of
from pp_mlekl.cli.load_model import load_builder
from pp_mlekl.cli.options import Chains, Data, Draws, Potentials, Sampler, Seed, Traceback, folder_option
from pp_mlekl.cli.output import Csv, Json, Latex, check_format, print_as, show_text_table


def compare_models(
    builders: Annotated[list[str], typer.Argument(help="two or more of module:function or file.py:function")],
    data: Data = None,
    draws: Draws = 1000,
    chains: Chains = 4,
    seed: Seed = None,
    sampler: Sampler = "nutpie",
    potentials: Potentials = None,
    out: Annotated[Path, folder_option("the pages")] = Path("."),
    as_json: Json = False,
    as_csv: Csv = False,
    as_latex: Latex = False,
    traceback: Traceback = False,
) -> None:
    """Compare models of the same data: evidence, Bayes factors, leave-one-out; models.html links to each one's page."""
    from pp_mlekl.utils.files import check_page_target, writable_folder

    check_format(as_json, as_csv, as_latex)
    if len(builders) < 2 or len(set(builders)) < len(builders):
        raise ValueError(f"Name at least two models, each once, got {', '.join(builders)}.")
    names, stems = names_of(builders, taken=["models"])
    folder = writable_folder(out)
    loaded = [load_builder(builder) for builder in builders]
    from pp_mlekl.cli.data_files import read_data
    from pp_mlekl.comparison.compare_models import check_same_data
    from pp_mlekl.comparison.compare_models import compare_models as run
    from pp_mlekl.report.models_page import models_table, write_models

    fit = partial(
        fit_and_write, draws=draws, chains=chains, random_seed=seed, nuts_sampler=sampler, potentials=potentials
    )
    table = read_data(data)
    models = [builder.build(table) for builder in loaded]
    check_same_data(dict(zip(names, models, strict=True)), potentials)
    check_page_target(folder / "models.html")
    for stem in stems:
        check_targets(folder / stem)
    fits, pages = {}, {}
    for name, stem, builder, model in zip(names, stems, loaded, models, strict=True):
        fits[name], page = fit(builder, model, name, folder / stem, home="models.html")
        pages[name] = page.name
    result = run(fits, random_seed=seed)
    page = write_models(result, folder / "models.html", pages)
    table = result.summary().reset_index(names="model")
    if not print_as(table, as_json=as_json, as_csv=as_csv, as_latex=as_latex):
        show_text_table(models_table(result))
        print("\n".join(["", *result.findings(), *result.warnings, "", str(page)]))
