"""``pp-mlekl proof``: maximum likelihood minimises KL, step by step, as a page."""

from pathlib import Path
from typing import Annotated

import typer

from pp_mlekl.cli.errors import FAILED, stop
from pp_mlekl.cli.options import Data, FixedSeed, Traceback, folder_option


def proof(
    builder: Annotated[
        str, typer.Argument(help="bernoulli, student_t_by_normal, naive_bayes_iris, ... or module:function")
    ],
    truth: Annotated[str | None, typer.Option(help="TOML file of parameters, or a text such as 'Gamma(2, 1)'")] = None,
    data: Data = None,
    sizes: Annotated[str, typer.Option(help="numbers of observations")] = "10,30,100,300,1000,3000,10000,30000,100000",
    replicates: Annotated[int, typer.Option(help="data sets of each size")] = 1000,
    seed: FixedSeed = 1,
    out: Annotated[Path, folder_option("the page")] = Path("."),
    traceback: Traceback = False,
) -> None:
    """Show in numbers that maximum likelihood minimises KL(true||model), and write a page."""
    from pp_mlekl.cli.compare import short_name
    from pp_mlekl.cli.progress import steps
    from pp_mlekl.cli.truths import model_and_truth, read_sizes
    from pp_mlekl.utils.files import check_page_target, file_names, writable_folder

    folder = writable_folder(out)
    model, values = model_and_truth(builder, truth, data)
    from pp_mlekl.theorem.proof import proof as run

    name = short_name(builder)
    page = folder / f"{file_names([f'proof-{name}'])[0]}.html"
    check_page_target(page)
    with steps(name) as say:
        result = run(
            model,
            values,
            sizes=read_sizes(sizes),
            replicates=replicates,
            name=name.replace("_", " "),
            random_seed=seed,
            progress=say,
        )
        say("writing the page")
        result.to_html(page)
    print(result)
    print(f"\n{page}")
    if not result.passed:
        stop("A step of the proof fails; the page shows which.", FAILED)
