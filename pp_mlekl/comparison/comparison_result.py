"""The result of ``compare``: one tree, and the tables, verdict and pages made from it."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.comparison.divergence_table import fitted_rows, gained_rows
from pp_mlekl.comparison.marginal_estimate import MarginalEstimate, marginal_estimate_in
from pp_mlekl.comparison.sentences import about_closest, about_marginal, about_scales
from pp_mlekl.comparison.storage import load_tree, save_tree
from pp_mlekl.comparison.verdict import Verdict, read_verdict
from pp_mlekl.diagnostics.circular import in_one_turn
from pp_mlekl.diagnostics.diagnose import Diagnostics, diagnose
from pp_mlekl.diagnostics.stored_diagnostics import diagnostics_tree, read_diagnostics
from pp_mlekl.report.elements import categorical
from pp_mlekl.report.labels import NO_NUMBER
from pp_mlekl.typing import Array
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.files import AnyPath
from pp_mlekl.utils.shared_state import alone, silenced
from pp_mlekl.utils.warning_attributes import read_warnings


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """All fits of one model, compared.

    Parameters
    ----------
    tree
        ArviZ's groups and ``point_estimate``, ``point_estimate_se``, ``audit``, ``information_gain``, ``fitted`` and, if
        the truth was given as parameter values, ``truth``.

    Examples
    --------
    >>> import pymc as pm, pp_mlekl as mk
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 10)
    ...     y = pm.Normal("y", mu, 1, observed=[0.4, 1.2, 0.9, 1.5])
    >>> comparison = mk.compare(model, draws=500, chains=2, random_seed=1)
    >>> list(comparison.summary().columns[:4])
    ['MLE', 'SE', 'MAP', 'MAP_unconstrained']
    """

    tree: xr.DataTree

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.tree.attrs["model_name"])

    @cached_property
    def variables(self) -> list[dict[str, Any]]:
        """Name, kind, distribution, dims and size of each free and observed variable."""
        return json.loads(self.tree.attrs["variables"])

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """ArviZ's diagnostics of the posterior's free variables."""
        if "diagnostics" in self.tree.children:
            return read_diagnostics(self.tree.children["diagnostics"])
        parents = {v["name"]: v["parents"] for v in self.variables}
        priors = self.tree["log_prior"].data_vars if "log_prior" in self.tree.children else ()
        tree = in_one_turn(self.tree, [v["name"] for v in self.variables if v.get("circular")])
        top_level = [str(n) for n in priors if not parents.get(str(n))]
        return diagnose(tree, self.free_names, top_level, self.tree.attrs.get("ci_prob"), categorical(self.variables))

    @property
    def free_names(self) -> list[str]:
        """Names of the free variables that are reported."""
        free = [v["name"] for v in self.variables if v["kind"] == "free"]
        return [name for name in free if name in self.tree.attrs.get("var_names", free)]

    @property
    def derived_names(self) -> list[str]:
        """Names of the deterministics with an estimate."""
        return (
            [str(n) for n in self.tree["derived_estimate"].data_vars]
            if "derived_estimate" in self.tree.children
            else []
        )

    @cached_property
    def statuses(self) -> dict[str, str]:
        """Status of each point estimate."""
        audit = self.tree["audit"].to_dataset()
        return {str(k): str(s) for k, s in zip(audit["estimator"].values, audit["status"].values, strict=True)}

    @cached_property
    def marginal(self) -> MarginalEstimate | None:
        """The MLE with latent variables integrated out; None if the model has none or its joint MLE is regular."""
        return marginal_estimate_in(self.tree)

    def warnings(self) -> dict[str, list[str]]:
        """The warnings of each part of the comparison."""
        return {
            **json.loads(self.tree["audit"].attrs["warnings"]),
            "information_gain": list(read_warnings(self.tree["information_gain"].attrs)),
            "prior_predictive": [
                str(self.tree.attrs[k]) for k in ("prior_predictive_left_out",) if k in self.tree.attrs
            ],
            "fitted": list(read_warnings(self.tree["fitted"].attrs)),
        }

    def summary(self) -> pd.DataFrame:
        """One row for each parameter: MLE and its standard error, MAP on both scales, posterior, R-hat, ESS and KL gained (nats).

        With a marginal MLE there are ``marginal_MLE`` and ``marginal_SE`` too, NaN for the latent variables.
        """
        estimates, errors = self.tree["point_estimate"].to_dataset(), self.tree["point_estimate_se"].to_dataset()
        columns: dict[str, Any] = {
            "MLE": _flat(estimates.sel(estimator="mle"), self.free_names),
            "SE": _flat(errors.sel(estimator="mle"), self.free_names),
            "MAP": _flat(estimates.sel(estimator="map"), self.free_names),
            "MAP_unconstrained": _flat(estimates.sel(estimator="map_unconstrained"), self.free_names),
        }
        for column, kind in (("MLE", "mle"), ("SE", "mle"), ("MAP", "map"), ("MAP_unconstrained", "map_unconstrained")):
            if self.statuses[kind] in NO_NUMBER:
                columns[column] = np.full_like(columns[column], np.nan)
        if self.marginal and self.marginal.status not in NO_NUMBER:
            for column, of in (("marginal_MLE", self.marginal.values), ("marginal_SE", self.marginal.standard_error)):
                like = (of[n] if n in of else xr.full_like(estimates[n][0], np.nan) for n in self.free_names)
                columns[column] = np.concatenate([np.ravel(array.values) for array in like])
        table = self.diagnostics.summary
        frame = pd.DataFrame(columns, index=table.index)
        interval = [c for c in table.columns if c.startswith(("eti", "hdi"))]
        for column in ("mean", "sd", *interval, "r_hat", "ess_bulk", "ess_tail"):
            frame[column] = table[column].astype(float)
        if "marginal" in self.tree["information_gain"].children:
            gained = self.tree["information_gain"]
            frame["KL"] = _flat(gained["marginal"].to_dataset(), self.free_names)
            frame["KL_mcse"] = _flat(gained["marginal_mcse"].to_dataset(), self.free_names)
        if "truth" in self.tree.children:
            frame["truth"] = _flat(self.tree["truth"].to_dataset(), self.free_names)
        return frame

    @property
    def definitions(self) -> list[dict[str, str]]:
        """Name, kind and definition of each deterministic; empty in files of versions that did not store them."""
        return json.loads(self.tree.attrs.get("definitions", "[]"))

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        """Posterior means, standard deviations and central 95% intervals as the package maketables reads them."""
        posterior = self.tree["posterior"].to_dataset()[self.free_names]
        over = ("chain", "draw")
        columns = {
            "b": posterior.mean(over),
            "se": posterior.std(over, ddof=1),
            "ci95l": posterior.quantile(0.025, over),
            "ci95u": posterior.quantile(0.975, over),
        }
        table = pd.DataFrame({name: _flat(of, self.free_names) for name, of in columns.items()})
        # A posterior has no tests of single parameters being 0.
        return table.assign(t=np.nan, p=np.nan).set_axis(self.diagnostics.summary.index).rename_axis("Coefficient")

    @property
    def __maketables_depvar__(self) -> str:
        """The observed variables, for maketables."""
        return ", ".join(v["name"] for v in self.variables if v["kind"] == "observed")

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        """What maketables writes below the parameters."""
        return ["N", "elpd", "log_evidence"]

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        """What maketables calls them."""
        return {"elpd": "elpd (LOO)", "log_evidence": "Log evidence"}

    def __maketables_stat__(self, key: str) -> float | None:
        """A number for maketables; None if it is unknown or was not computed."""
        gained, loo = self.tree["information_gain"], self.diagnostics.loo
        return {
            "N": int(self.tree.attrs["n_observations"]),
            "elpd": float(loo["elpd"].sum()) if len(loo) else None,
            "log_evidence": float(gained["joint/log_evidence"]) if "joint" in gained.children else None,
        }.get(key)

    def derived_summary(self) -> pd.DataFrame:
        """One row for each element of a derived quantity (``pm.Deterministic``): MLE, standard error, posterior."""
        names = self.derived_names
        if not names:
            return pd.DataFrame()
        with alone(), silenced():
            table = az.summary(self.tree, var_names=names, ci_prob=self.tree.attrs.get("ci_prob"), round_to="none")
        frame = table.astype(float)
        frame.insert(0, "SE", _flat(self.tree["derived_estimate_se"].to_dataset(), names))
        frame.insert(0, "MLE", _flat(self.tree["derived_estimate"].to_dataset(), names))
        return frame.assign(MAP=np.nan)

    def divergences(self) -> pd.DataFrame:
        """One row for each divergence: quantity, direction, value and standard error in nats, and a note."""
        warnings = self.warnings()
        rows = [*gained_rows(self.tree, warnings["information_gain"]), *fitted_rows(self.tree, warnings["fitted"])]
        return pd.DataFrame(rows, columns=["quantity", "direction", "value", "mcse", "of", "note"])

    def verdict(self) -> Verdict:
        """Which results can be used, and why."""
        unknown = self.tree.attrs["truth"] == "unknown"
        scales = about_scales(self.summary(), self.statuses)
        fitted = self.tree["fitted"].to_dataset()
        closest = "" if unknown else about_closest(fitted)
        compared = unknown and fitted.sizes["estimator"] > 0
        more = [about_marginal(self.marginal)] if self.marginal else []
        more += [scales] if scales else []
        return read_verdict(self.statuses, self.warnings(), self.diagnostics, compared, more, closest)

    @checked_arguments
    def save(self, path: AnyPath, *, compact: bool = False) -> Path:
        """Write the tree to NetCDF (or Zarr, if the path ends in ``.zarr``); ``pp_mlekl.load`` reads it.

        Parameters
        ----------
        path
            The file, or the folder of a Zarr store.
        compact
            Leave out large groups: log-likelihoods, predictive draws, and deterministics without an estimate. Tables, verdict
            and page stay the same, except for the plots of predictions.

        Raises
        ------
        ValueError
            If the path is a folder, or a file that this package did not write; it is not overwritten.
        """
        save_tree(self._compact_tree() if compact else self.tree, path)
        return Path(path)

    def _compact_tree(self) -> xr.DataTree:
        """The tree without large groups, and with the diagnostics that were computed from them."""
        left_out = ("log_likelihood", "posterior_predictive", "prior_predictive")
        groups = {path: node for path, node in self.tree.to_dict().items() if path.split("/")[1] not in left_out}
        kept = [*(v["name"] for v in self.variables), *self.derived_names]
        for name in ("/posterior", "/prior"):
            if name in groups:
                groups[name] = groups[name].drop_vars([v for v in groups[name].data_vars if v not in kept])
        tree = xr.DataTree.from_dict(groups)
        tree["diagnostics"] = diagnostics_tree(self.diagnostics)
        return tree

    @checked_arguments
    def to_html(self, path: AnyPath, *, guide: str = "") -> Path:
        """Write one self-contained page.

        Parameters
        ----------
        path
            The file to write.
        guide
            Address of the documentation's page "How to read a page", to which each section then links.
        """
        from pp_mlekl.report.page import write_html

        return write_html(self, path, guide=guide)

    @checked_arguments
    def to_markdown(self, path: AnyPath) -> Path:
        """Write the tables and the verdict as Markdown."""
        from pp_mlekl.report.markdown import write_markdown

        return write_markdown(self, path)

    def plot_prior_posterior(self, **kwargs: Any) -> Any:
        """Prior against posterior of each parameter, with the estimates marked.

        Parameters
        ----------
        **kwargs
            ``var_names``, ``coords``, ``backend`` ("matplotlib" if not given) and further arguments of arviz-plots.

        Returns
        -------
        A matplotlib figure; the ``PlotCollection`` for another backend; None if there is nothing to plot.
        """
        from pp_mlekl.report import plots

        return plots.prior_posterior(self, **kwargs)

    def plot_trace(self, **kwargs: Any) -> Any:
        """Rank plot of each parameter; trace plot for a single chain.

        Parameters
        ----------
        **kwargs
            ``var_names``, ``coords``, ``backend`` ("matplotlib" if not given) and further arguments of arviz-plots.

        Returns
        -------
        A matplotlib figure; the ``PlotCollection`` for another backend; None if there is nothing to plot.
        """
        from pp_mlekl.report import plots

        return plots.chains(self, **kwargs)

    def plot_pair(self, **kwargs: Any) -> Any:
        """Joint draws of the parameters with the strongest dependence, divergent draws marked.

        Parameters
        ----------
        **kwargs
            ``var_names``, ``coords``, ``backend`` ("matplotlib" if not given) and further arguments of arviz-plots.

        Returns
        -------
        A matplotlib figure; the ``PlotCollection`` for another backend; None if there is nothing to plot.
        """
        from pp_mlekl.report import plots

        return plots.pairs(self, **kwargs)

    def plot_energy(self, **kwargs: Any) -> Any:
        """Marginal energy and its transitions.

        Parameters
        ----------
        **kwargs
            ``backend`` ("matplotlib" if not given) and further arguments of arviz-plots.

        Returns
        -------
        A matplotlib figure; the ``PlotCollection`` for another backend; None if there is nothing to plot.
        """
        from pp_mlekl.report import plots

        return plots.energy(self, **kwargs)

    def plot_predictive(self, **kwargs: Any) -> Any:
        """Posterior predictive draws against the data, of one kind of data (real, count, binary or category).

        Where there are several kinds the first is plotted; ``var_names`` chooses another.

        Parameters
        ----------
        **kwargs
            ``var_names``, ``coords``, ``backend`` ("matplotlib" if not given) and further arguments of arviz-plots.

        Returns
        -------
        A matplotlib figure; the ``PlotCollection`` for another backend; None if there is nothing to plot.
        """
        from pp_mlekl.report import plots

        return plots.predictive(self, **kwargs)

    def plot_loo_pit(self, **kwargs: Any) -> Any:
        """Calibration of the leave-one-out predictive distributions.

        Parameters
        ----------
        **kwargs
            ``var_names``, ``coords``, ``backend`` ("matplotlib" if not given) and further arguments of arviz-plots.

        Returns
        -------
        A matplotlib figure; the ``PlotCollection`` for another backend; None if there is nothing to plot.
        """
        from pp_mlekl.report import plots

        return plots.loo_pit(self, **kwargs)

    def __repr__(self) -> str:
        table = self.summary().to_string(float_format="{:.4g}".format)
        return f"Comparison of {self.name}\n{table}\n\n{self.verdict()}"

    def _repr_html_(self) -> str:
        from pp_mlekl.report.page import notebook_html

        return notebook_html(self)


def _flat(dataset: xr.Dataset, names: list[str]) -> Array:
    return np.concatenate([np.ravel(dataset[name].values) for name in names])


@checked_arguments
def load(path: AnyPath) -> Comparison:
    """Read a comparison that ``Comparison.save`` has written (NetCDF, or Zarr if the path ends in ``.zarr``).

    Parameters
    ----------
    path
        The file, or the folder of a Zarr store.

    Returns
    -------
    Comparison

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file holds no comparison.
    """
    return Comparison(tree=load_tree(path))
