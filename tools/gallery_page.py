"""Writes docs/gallery.md from the docstrings of the gallery's modules: ``python tools/gallery_page.py``."""

from pathlib import Path

from pp_mlekl.cli.gallery import Entry, entries

HEAD = """# Gallery

Models of real data. `from pp_mlekl.gallery import NAME` imports a module, `NAME.build()` returns its model, and
`pp-mlekl compare NAME` writes its page; <a href="logistic_spector.html">here is one</a>, and <a href="pages/index.html">here are
more</a>. `make report-all` writes all pages. The columns MLE and MAP have the expected [status](glossary.md) of the
estimate of all parameters, for MAP on the natural scale.

The docstrings of the modules in `models/` make up this page (`python tools/gallery_page.py`).

| builder | family | observations | parameters | MLE | MAP |
|---|---|---|---|---|---|
"""


def page(gallery: list[Entry]) -> str:
    """The page: a table of all builders, then what each module says of itself."""
    rows = [
        f"| [`{e.name}`](#{e.module}) | {', '.join(e.tags)} | {e.observations} | {e.parameters} | {e.mle} | {e.map} |"
        for e in gallery
    ]
    sections = []
    for name in dict.fromkeys(e.module for e in gallery):
        builders = [e for e in gallery if e.module == name]
        lines = [f"- `{e.function}`: {e.describes}" for e in builders]
        sections.append("\n\n".join([f"## {name}", builders[0].about.replace("``", "`"), "\n".join(lines)]))
    return HEAD + "\n".join(rows) + "\n\n" + "\n\n".join(sections) + "\n"


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "docs" / "gallery.md"
    target.write_text(page(entries()), encoding="utf-8")
    print(target)
