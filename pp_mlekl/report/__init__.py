"""Pages, tables and plots from a finished comparison."""

from pp_mlekl.report import chains, plots
from pp_mlekl.report.markdown import write_markdown
from pp_mlekl.report.page import notebook_html, verdict_html, write_html, write_index

__all__ = ["chains", "notebook_html", "plots", "verdict_html", "write_html", "write_index", "write_markdown"]
