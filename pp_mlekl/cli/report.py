"""``pp-mlekl report``: many models, a page each, and an index."""

import sys
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import typer

from pp_mlekl.cli.errors import Stopped, one_line_errors
from pp_mlekl.cli.options import Traceback
from pp_mlekl.cli.report_file import Specification, read_specification
from pp_mlekl.utils.files import check_page_target, file_names, writable_folder

# Longer findings are for the page itself.
_LONGEST = 260


def report(
    specifications: Annotated[list[Path], typer.Argument(help="TOML files, e.g. reports/*.toml")],
    out: Annotated[Path, typer.Option(help="folder for the pages")] = Path("pages"),
    traceback: Traceback = False,
) -> None:
    """Every report's page and an index of them; one that fails is told, and the others are made all the same."""
    folder = writable_folder(out)
    wanted = [read_specification(path) for path in specifications]
    stems = file_names([specification.name.lower() for specification in wanted], taken=["index"])
    for name in ("index.html", *(f"{stem}.{kind}" for stem in stems for kind in ("md", "html"))):
        check_page_target(folder / name)
    entries, statuses = [], [0]
    for i, (specification, stem) in enumerate(zip(wanted, stems, strict=True), 1):
        print(f"[{i}/{len(wanted)}] {specification.name}: {stem}.html", file=sys.stderr, flush=True)
        try:
            with one_line_errors():
                entries.append(_one(specification, folder / stem))
        except Stopped as failure:
            statuses.append(int(failure.code or 0))
            entries.append(_failed(specification, failure.reason))
    from pp_mlekl.report.page import write_index

    index = write_index(entries, folder / "index.html")
    for path in [*(folder / entry["href"] for entry in entries if entry["href"]), index]:
        print(path.resolve())
    raise typer.Exit(max(statuses))


def _one(specification: Specification, stem: Path) -> dict[str, Any]:
    from pp_mlekl.cli.load_model import load_builder
    from pp_mlekl.cli.progress import steps
    from pp_mlekl.comparison.compare import compare
    from pp_mlekl.report.markdown import write_markdown
    from pp_mlekl.report.page import index_card, write_html

    builder = load_builder(specification.builder)
    model = builder.build()
    truth = _truth(specification, builder)
    with steps(specification.name) as say:
        result = compare(
            model,
            truth,
            draws=specification.draws,
            chains=specification.chains,
            random_seed=specification.seed,
            nuts_sampler=specification.sampler,
            potentials=specification.potentials,  # type: ignore[arg-type]
            name=specification.name,
            progress=say,
        )
        write_markdown(result, stem.with_name(f"{stem.name}.md"))
        page = write_html(result, stem.with_name(f"{stem.name}.html"), builder.about)
    verdict = result.verdict()
    return {
        "href": page.name,
        "name": specification.name,
        "shows": _shows(builder.about),
        "findings": _in_short(verdict),
        "card": index_card(result),
    }


def _failed(specification: Specification, reason: str) -> dict[str, Any]:
    text = shorten(f"There is no page: {reason}", _LONGEST, placeholder=" …")
    return {"href": "", "name": specification.name, "shows": "", "findings": [("problem", text)]}


def _in_short(verdict: Any) -> list[tuple[str, str]]:
    """The conclusion, each problem, and what the reservations are about."""
    problems = [
        ("problem", shorten(f"{f.topic}: {f.text}", _LONGEST, placeholder=" …"))
        for f in verdict.findings
        if f.level == "problem"
    ]
    about = ", ".join(dict.fromkeys(f.topic for f in verdict.findings if f.level == "caution"))
    reservations = [("caution", f"Warnings: {about}.")] if about else []
    return [(verdict.level, verdict.conclusion), *problems, *reservations]


def _truth(specification: Specification, builder: Any) -> Any:
    if isinstance(specification.truth, str):
        if specification.truth != "module":
            raise ValueError(f'truth must be "module" or a table of values, got {specification.truth!r}.')
        if builder.truth is None:
            raise ValueError(f"{builder.name} has no TRUTH; write the values into the report's [truth] table.")
        return builder.truth
    return specification.truth


def _shows(about: str) -> str:
    return " ".join(about.strip().split("\n\n")[0].split())
