"""The work on one batch of a study, and the model, truth and settings that all batches share."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedFit, expected_fit, information_at
from pp_mlekl.estimation.replicates.simulator import Replicates, Simulator
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.simulation.batch_fits import BatchFits, fitted_or_failed
from pp_mlekl.simulation.batches import Batch
from pp_mlekl.simulation.own_data import OwnData
from pp_mlekl.simulation.posterior_draws import DIAGNOSTICS
from pp_mlekl.simulation.prepared_job import PreparedJob, built
from pp_mlekl.simulation.result_arrays import COVERS, STATUS, Column, Layout
from pp_mlekl.simulation.settings import Settings
from pp_mlekl.simulation.target import Target
from pp_mlekl.typing import Array, ModelBuilder, Potentials

if TYPE_CHECKING:
    import pymc as pm


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelData:
    """Data sets from a truth that is known as a distribution, for the rows of one model, of any size."""

    functions: ModelFunctions
    pseudo_true: ExpectedFit
    simulator: Simulator
    size: int

    @property
    def known(self) -> tuple[str, ...]:
        """The free variables that have a pseudo-true value: all."""
        return tuple(v.name for v in self.functions.free)

    def draw(self, count: int, generator: np.random.Generator) -> tuple[ModelFunctions, Replicates]:
        """Data sets, and the functions that take them."""
        return self.functions, self.simulator.draw(self.size, count, generator)


@dataclass(kw_only=True, eq=False)
class StudyJob(PreparedJob[dict[int, "ModelData | OwnData"]]):
    """The model, the truth and the settings; ``prepared`` has the source of data sets for each size."""

    build: "pm.Model | ModelBuilder"
    requested: Settings
    root: np.random.SeedSequence
    potentials: Potentials = None

    def prepare(self) -> dict[int, ModelData | OwnData]:
        """As ``PreparedJob``."""
        sizes = [int(s) for s in self.requested.sizes]
        if self.requested.simulate is not None:
            shared: Any = {"build": self.build, "simulate": self.requested.simulate, "truth": self.requested.truth}
            own = {n: OwnData(**shared, size=n, potentials=self.potentials) for n in sizes}
            return dict(own)
        functions, pseudo_true, simulator = self._of_known_truth()
        return {n: ModelData(functions=functions, pseudo_true=pseudo_true, simulator=simulator, size=n) for n in sizes}

    def _of_known_truth(self) -> tuple[ModelFunctions, ExpectedFit, Simulator]:
        functions = model_functions(built(self.build), self.potentials)
        generator = np.random.default_rng(0)
        truth = as_truth(functions, self.requested.truth)
        one_by_one = "parametric_bootstrap" in self.requested.intervals
        resampled = self.requested.covariates == "resampled"
        simulator = Simulator(functions, truth, generator, one_by_one=one_by_one, resample_rows=resampled)
        pseudo_true = expected_fit(functions, truth, generator)
        if pseudo_true.information is None:
            raise ValueError(
                f"A study needs a regular pseudo-true parameter; under this truth its status is {pseudo_true.verdict.status!r}. "
                f"{' '.join([*pseudo_true.verdict.warnings, *pseudo_true.problem.warnings])}"
            )
        if resampled and pseudo_true.kl_at_kinks is None:
            problem = pseudo_true.problem
            # The mean scores of the rows, which may differ from 0 in a misspecified model, then add to the variance.
            information = information_at(functions, problem.nodes, pseudo_true.flat, problem.kept, random_rows=True)
            pseudo_true = replace(pseudo_true, information=information)
        return functions, pseudo_true, simulator

    @property
    def first(self) -> ModelData | OwnData:
        """The source of the smallest data sets."""
        return next(iter(self.prepared().values()))

    def fingerprint(self) -> dict[str, Any]:
        """Numbers that identify the model and truth: parameter names, the log-likelihood at two points, a data set."""
        functions, pseudo_true = self.first.functions, self.first.pseudo_true
        at = functions.log_likelihood(np.stack([functions.initial_point(), pseudo_true.flat]))
        sums = []
        for source in self.prepared().values() if self.requested.simulate is not None else [self.first]:
            one = replace(source, size=functions.n_observations) if isinstance(source, ModelData) else source
            _, drawn = one.draw(1, np.random.default_rng(0))
            sums += [float(np.sum(part)) for part in (*drawn.data.values(), drawn.weights)]
        return {"parameters": functions.natural_names, "numbers": [*at.tolist(), *sums]}

    def prior_fingerprint(self) -> dict[str, Any]:
        """The log density of the prior at the same two points, on the scale of each kind of MAP."""
        functions = self.first.functions
        at = np.stack([functions.initial_point(), self.first.pseudo_true.flat])
        return {"numbers": [*functions.log_prior(at).tolist(), *functions.log_jacobian(at).tolist()]}

    def target(self) -> Target:
        """What the estimates are compared with."""
        functions, pseudo_true = self.first.functions, self.first.pseudo_true
        known = [name for name in self.first.known if all(name in s.known for s in self.prepared().values())]
        variables = [v for v in functions.free if v.name in known]
        places = np.concatenate([np.arange(v.natural.start, v.natural.stop) for v in variables])
        information = pseudo_true.information if self.requested.simulate is None else None
        return Target(
            variables=tuple(known),
            names=tuple(functions.natural_names[i] for i in places),
            values=functions.natural_flat(pseudo_true.flat)[places],
            circular=functions.circular[places],
            dataset=functions.dataset(pseudo_true.flat)[known],
            kl_min=pseudo_true.kl_min / functions.n_observations,
            information=information,
        )

    def layout(self) -> Layout:
        """The variables of every batch's result."""
        target = self.target()
        one = target.dataset
        columns = {str(n): Column(dims=tuple(map(str, v.dims)), shape=v.shape) for n, v in one.data_vars.items()}
        if "kl" in self.requested.compute:
            columns["excess"] = Column(attrs={"unit": "nats"})
        columns["exists"] = Column(dtype="bool")
        columns["status"] = STATUS
        of_parameters = Column(dims=("parameter",), shape=(len(target.names),))
        columns |= {f"{COVERS}{kind}": of_parameters for kind in self.requested.interval_kinds}
        if self.requested.from_draws:
            columns |= dict.fromkeys(DIAGNOSTICS, Column())
        coords = one.drop_vars(list(one.data_vars)).assign_coords(parameter=list(target.names))
        return Layout(
            estimators=tuple(self.requested.estimators),
            sizes=tuple(int(s) for s in self.requested.sizes),
            replicates=self.requested.replicates,
            columns=columns,
            coords=coords,
        )

    def run(self, batch: Batch) -> dict[str, Array]:
        """Draw the data sets of a batch and fit them: arrays (estimators, count, *shape of the column)."""
        source, layout = self.prepared()[batch.size], self.layout()
        generator = batch.generator(self.root)
        functions, drawn = source.draw(batch.count, generator)
        fits = BatchFits(
            functions=functions, pseudo_true=source.pseudo_true, requested=self.requested, columns=layout.columns
        )
        return fitted_or_failed(fits, drawn, generator, layout)
