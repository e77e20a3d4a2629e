"""One report: its page, Markdown, tree and numbers, made anew only where something has changed."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from textwrap import shorten
from typing import Any

from pp_mlekl.cli.compare import check_targets as check_comparison_targets
from pp_mlekl.cli.compare import fit_and_write
from pp_mlekl.cli.errors import INTERRUPTED, Stopped, one_line_errors, show_tracebacks
from pp_mlekl.cli.load_model import Builder, load_builder
from pp_mlekl.cli.report_file import Specification
from pp_mlekl.utils.files import write_bytes

# Longer findings are for the page itself.
_LONGEST = 260
_KINDS = ("nc", "md", "html", "json")
# The keys by which a later run knows a file of numbers for its own.
_FINGERPRINT, _REPORTS = "pp_mlekl_fingerprint", "pp_mlekl_reports"


@dataclass(frozen=True, kw_only=True)
class Built:
    """What became of a report.

    Parameters
    ----------
    summary
        What its JSON file holds; without ``href`` if there is no page.
    status
        Exit status.
    changed
        False if the page was there already, for the same model and settings.
    """

    summary: dict[str, Any]
    status: int = 0
    changed: bool = True


@dataclass(frozen=True, kw_only=True)
class Task:
    """A report to make: its specification, the path of its files without extension, and how to make it."""

    specification: Specification
    stem: Path
    force: bool = False
    only_check: bool = False
    guide: str = ""
    traceback: bool = False

    def path(self, kind: str) -> Path:
        """The file with this extension."""
        return self.stem.with_name(f"{self.stem.name}.{kind}")


def build(task: Task) -> Built:
    """Make a report, or check that it can be made.

    A failure is printed in one line and becomes part of the result; an interrupt is raised.
    """
    show_tracebacks(task.traceback)
    try:
        with one_line_errors():
            return _built(task)
    except Stopped as failure:
        if failure.code == INTERRUPTED:
            raise
        summary = {"name": task.specification.name, "failure": failure.reason}
        return Built(summary=summary, status=int(failure.code or 0))


def check_targets(task: Task) -> None:
    """Raise where a file of the report may not be written, before anything is computed."""
    from pp_mlekl.utils.files import check_file

    check_comparison_targets(task.stem)
    check_file(task.path("json"), _is_summary)


def check_summaries(path: Path) -> None:
    """Raise where the file of all numbers may not be written."""
    from pp_mlekl.utils.files import check_file

    check_file(path, _are_summaries)


def write_summaries(built: Iterable[Built], path: Path) -> Path:
    """Write verdict, badges and numbers of all reports as one JSON file; a failure has its reason in their place."""
    left_out = {_FINGERPRINT, "card"}
    content = {_REPORTS: [{k: v for k, v in one.summary.items() if k not in left_out} for one in built]}
    write_bytes(path, json.dumps(content, indent=1, ensure_ascii=False).encode(), is_ours=_are_summaries)
    return path


def index_entry(summary: dict[str, Any]) -> dict[str, Any]:
    """What ``write_index`` shows of a report."""
    from markupsafe import Markup

    if "failure" in summary:
        text = shorten(f"There is no page: {summary['failure']}", _LONGEST, placeholder=" …")
        return {"href": "", "name": summary["name"], "shows": "", "findings": [("problem", text)]}
    card = {**summary["card"], "rows": [(name, Markup(row)) for name, row in summary["card"]["rows"]]}
    return {**summary, "findings": _in_short(summary["verdict"]), "card": card}


def _built(task: Task) -> Built:
    specification = task.specification
    builder = load_builder(specification.builder)
    model = builder.build(_data(specification), **specification.args)
    truth = _truth(specification, builder)
    if task.only_check:
        _check(model, truth, specification)
        return Built(summary={"name": specification.name}, changed=False)
    fingerprint = _fingerprint(task, builder, model, truth)
    known = _summary_in(task.path("json"))
    if not task.force and known.get(_FINGERPRINT) == fingerprint and all(task.path(k).is_file() for k in _KINDS):
        return Built(summary=known, changed=False)
    summary = _make(task, builder, model, truth)
    content = json.dumps({_FINGERPRINT: fingerprint, **summary}, indent=1, ensure_ascii=False)
    write_bytes(task.path("json"), content.encode(), is_ours=_is_summary)
    return Built(summary=summary)


def _make(task: Task, builder: Builder, model: Any, truth: Any) -> dict[str, Any]:
    from pp_mlekl.report.json_summary import json_summary
    from pp_mlekl.report.page import index_card

    specification = task.specification
    result, page = fit_and_write(
        builder,
        model,
        specification.name,
        task.stem,
        guide=task.guide,
        home="index.html",
        truth=truth,
        draws=specification.draws,
        chains=specification.chains,
        random_seed=specification.seed,
        nuts_sampler=specification.sampler,
        potentials=specification.potentials,
    )
    files = {"href": page.name, "tree": task.path("nc").name}
    summary, card = json_summary(result), index_card(result)
    # The badges of the card are those of the summary.
    return {**summary, **files, "shows": _first_paragraph(builder.about), "card": {**card, "badges": summary["badges"]}}


def _check(model: Any, truth: Any, specification: Specification) -> None:
    from pp_mlekl.comparison.compare import check_comparison
    from pp_mlekl.pymc_model.model_functions import model_functions

    settings = {
        "draws": specification.draws,
        "chains": specification.chains,
        "nuts_sampler": specification.sampler,
    }
    check_comparison(model_functions(model, specification.potentials), truth, settings)  # type: ignore[arg-type]


def _fingerprint(task: Task, builder: Builder, model: Any, truth: Any) -> str:
    """A checksum of all that the report depends on: specification, sources, data, truth and versions."""
    from pp_mlekl.comparison.compare import package_versions
    from pp_mlekl.pymc_model.model_summary import model_digest

    parts = {
        "specification": asdict(task.specification),
        "guide": task.guide,
        "sources": {name: sha256(text).hexdigest() for name, text in builder.sources.items()},
        "description": builder.about,
        "model": model_digest(model),
        "truth": truth,
        "versions": package_versions(),
    }
    return sha256(json.dumps(parts, default=_listed, sort_keys=True).encode()).hexdigest()


def _listed(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _summary_in(path: Path, key: str = _FINGERPRINT) -> dict[str, Any]:
    """What a JSON file with this key holds; empty if it is none of ours."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and key in found else {}


def _is_summary(path: Path) -> bool:
    return bool(_summary_in(path))


def _are_summaries(path: Path) -> bool:
    return bool(_summary_in(path, _REPORTS))


def _data(specification: Specification) -> Any:
    from pp_mlekl.cli.data_files import read_data

    return read_data(Path(specification.data) if specification.data else None)


def _in_short(verdict: dict[str, Any]) -> list[tuple[str, str]]:
    """The conclusion, each problem, and what the warnings are about."""
    findings = verdict["findings"]
    problems = [
        ("problem", shorten(f"{f['topic']}: {f['text']}", _LONGEST, placeholder=" …"))
        for f in findings
        if f["level"] == "problem"
    ]
    about = ", ".join(dict.fromkeys(f["topic"] for f in findings if f["level"] == "caution"))
    cautions = [("caution", f"Warnings: {about}.")] if about else []
    return [(verdict["level"], verdict["conclusion"]), *problems, *cautions]


def _truth(specification: Specification, builder: Builder) -> Any:
    if isinstance(specification.truth, str):
        if specification.truth != "module":
            raise ValueError(f'truth must be "module" or a table of values, got {specification.truth!r}.')
        if builder.truth is None:
            raise ValueError(f"{builder.name} has no TRUTH; write the values into the report's [truth] table.")
        return builder.truth
    return specification.truth


def _first_paragraph(about: str) -> str:
    return " ".join(about.strip().split("\n\n")[0].split())
