"""Tables on standard output: for people, or as JSON, CSV or LaTeX."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from pp_mlekl.cli.errors import WRONG_USE, stop

if TYPE_CHECKING:
    import pandas as pd

    from pp_mlekl.report.tables import Table as TextTable

_WIDTH_IN_A_PIPE = 120
_WIDTH_OF_LINES = 80
# Columns of texts that would be cut to less are left out.
_NARROWEST_COLUMN = 12
# Longer names of rows are broken into lines.
_LONGEST_NAME = 40

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Csv = Annotated[bool, typer.Option("--csv", help="print the table as CSV")]
Latex = Annotated[bool, typer.Option("--latex", help="print the table as LaTeX")]


def check_format(as_json: bool, as_csv: bool, as_latex: bool) -> None:
    """Stop if more than one format is requested."""
    if as_json + as_csv + as_latex > 1:
        stop("Choose one of --json, --csv and --latex.", WRONG_USE)


def print_as(table: "pd.DataFrame", *, as_json: bool, as_csv: bool, as_latex: bool, content: Any = None) -> bool:
    """Print JSON, CSV or LaTeX if requested; otherwise print nothing and return False.

    Parameters
    ----------
    table
        Without an index.
    as_json, as_csv, as_latex
        At most one is True.
    content
        What is printed as JSON; the rows of the table if None.
    """
    check_format(as_json, as_csv, as_latex)
    if as_json:
        from pp_mlekl.report.json_summary import json_rows

        print(json.dumps(json_rows(table) if content is None else content, indent=1, ensure_ascii=False))
    elif as_csv:
        print(table.to_csv(index=False), end="")
    elif as_latex:
        print(table.to_latex(index=False, escape=True, float_format="%.4g"), end="")
    return as_json or as_csv or as_latex


def show_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: Sequence[int] = (0,),
    width_in_a_pipe: int = _WIDTH_IN_A_PIPE,
) -> None:
    """Print a table that fits the terminal; ``words`` are the positions of text columns.

    In a pipe it is as wide as its numbers need.
    """
    whole = {0} if all(len(row[0]) <= _LONGEST_NAME for row in rows) else set[int]()
    if not sys.stdout.isatty():
        whole |= set(range(len(header))) - set(words)
    columns = [
        Column(escape(name), justify="left" if i in words else "right", overflow="fold", no_wrap=i in whole)
        for i, name in enumerate(header)
    ]
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        # What a user typed may hold square brackets, which rich would take for styles.
        table.add_row(*map(escape, row))
    widest = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    needed = [min(width, _NARROWEST_COLUMN) if i in words else width for i, width in enumerate(widest)]
    console(max(width_in_a_pipe, sum(needed) + 2 * len(needed))).print(table)


def show_lines(header: Sequence[str], rows: Sequence[Sequence[str]], flexible: int) -> None:
    """Print a table with one line for each row, however narrow the terminal is.

    Parameters
    ----------
    header, rows
        Texts.
    flexible
        The number of last columns that are cut or left out where there is no room.
    """
    print("\n".join(fitted([header, *rows], flexible, console(_WIDTH_OF_LINES).width)))


def fitted(rows: Sequence[Sequence[str]], flexible: int, width: int) -> list[str]:
    """Rows as lines with aligned columns, at most ``width`` wide unless the other columns alone are wider.

    Examples
    --------
    >>> fitted([["radon", "919", "hierarchical, normal"], ["bcg", "13", "normal"]], 1, 24)
    ['radon  919  hierarchica…', 'bcg     13  normal']
    """
    columns = list(zip(*rows, strict=True))
    lines, room = [""] * len(rows), width
    for place, column in enumerate(columns):
        space = 2 if place else 0
        wide = max(map(len, column))
        if place >= len(columns) - flexible:
            wide = min(wide, room - space)
            if wide < _NARROWEST_COLUMN:
                break
        room -= wide + space
        numbers = all(text.isdigit() for text in column[1:])
        cut = [text if len(text) <= wide else f"{text[: wide - 1].rstrip()}…" for text in column]
        lines = [
            f"{line}{' ' * space}{f'{text:>{wide}}' if numbers else f'{text:{wide}}'}"
            for line, text in zip(lines, cut, strict=True)
        ]
    return [line.rstrip() for line in lines]


def show_text_table(table: "TextTable") -> None:
    """Print a table of a page."""
    show_table(table.header, table.rows, [i for i in range(len(table.header)) if table.is_words(i)])


def console(width_in_a_pipe: int = _WIDTH_IN_A_PIPE) -> Console:
    """Standard output, as wide as the terminal."""
    return Console(width=None if sys.stdout.isatty() else width_in_a_pipe, highlight=False)


def show_comparison(result: Any) -> None:
    """The parameters and the verdict of a comparison."""
    from pp_mlekl.report.tables import parameter_table

    print(f"Comparison of {result.name}")
    show_text_table(parameter_table(result))
    print(f"\n{result.verdict()}")


def summary_table(result: Any) -> "pd.DataFrame":
    """The parameters of a comparison, without an index."""
    return result.summary().reset_index(names="parameter")
