"""One verdict from everything that a comparison found."""

from collections.abc import Sequence
from dataclasses import dataclass

from pp_mlekl.diagnostics.diagnose import Diagnostics
from pp_mlekl.diagnostics.findings import Finding
from pp_mlekl.diagnostics.predictive_checks import TOPIC
from pp_mlekl.report.labels import in_words

_STATUS = {
    "converged": ("ok", "Converged"),
    "boundary": ("caution", "On the boundary of the parameter space: the value is reported without a standard error"),
    "at_infinity": (
        "problem",
        "No finite {name} exists: the likelihood increases towards its supremum as a parameter diverges",
    ),
    "unbounded": ("problem", "No {name} exists: the density is unbounded"),
    "not_identified": ("problem", "Not unique: the data do not identify all parameters"),
    "multimodal": ("caution", "One of several maxima of equal or nearly equal height"),
    "failed": ("problem", "No maximum was found"),
}
_NAMES = {"mle": "MLE", "map": "MAP (natural scale)", "map_unconstrained": "MAP (unconstrained scale)"}

_COMPUTED = {
    "information_gain": "prior to posterior",
    "prior_predictive": "prior predictive",
    "fitted": "fitted distributions",
}
_NO_TRUTH = "No ground truth was given; fits are compared with each other only."


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Which results can be used: a conclusion and the findings that support it.

    Parameters
    ----------
    conclusion
        Which results of this model can be used, in a sentence or two.
    scope
        What the comparison cannot show without a known truth; empty if the truth is known.
    findings
        Each with a level (``ok``, ``caution``, ``problem``), a topic and a text.
    """

    conclusion: str
    scope: str = ""
    findings: tuple[Finding, ...]

    @property
    def sentence(self) -> str:
        """Conclusion and scope together."""
        return f"{self.conclusion} {self.scope}".strip()

    @property
    def level(self) -> str:
        """The worst level of the findings."""
        levels = {f.level for f in self.findings}
        return next((level for level in ("problem", "caution") if level in levels), "ok")

    def __str__(self) -> str:
        mark = {"ok": "+", "caution": "!", "problem": "x"}
        lines = [f"  {mark[f.level]} {f.topic}: {f.text}" for f in self.findings]
        return "\n".join([self.sentence, *lines])

    def _repr_html_(self) -> str:
        from pp_mlekl.report.page import verdict_html

        return verdict_html(self)


def read_verdict(
    statuses: dict[str, str],
    warnings: dict[str, list[str]],
    diagnostics: Diagnostics,
    truth_unknown: bool,
    more: Sequence[Finding] = (),
    closest: str = "",
) -> Verdict:
    """Combine statuses, warnings, diagnostics, further findings about the estimates, and the closest fit."""
    estimates = [_about_estimate(kind, status, warnings.get(kind, [])) for kind, status in statuses.items()]
    computed = [
        Finding(level="caution", topic=topic, text=in_words(text))
        for key, topic in _COMPUTED.items()
        for text in warnings.get(key, [])
    ]
    sampling = list(diagnostics.findings)
    parts = (_about_sampling(sampling), _about_estimates(estimates, statuses), _about_fit(sampling), closest)
    return Verdict(
        conclusion=" ".join(part for part in parts if part),
        scope=_NO_TRUTH if truth_unknown else "",
        findings=tuple([*sampling, *estimates, *more, *computed]),
    )


def _about_estimate(kind: str, status: str, warnings: list[str]) -> Finding:
    level, text = _STATUS[status]
    text = text.format(name=_NAMES.get(kind, kind).partition(" (")[0])
    more = f" {' '.join(warnings)}" if warnings else ""
    if level == "ok" and warnings:
        level = "caution"
    return Finding(level=level, topic=_NAMES.get(kind, kind), text=f"{text}.{more}")


def _about_sampling(findings: list[Finding]) -> str:
    relevant = [f for f in findings if f.topic in ("convergence", "efficiency", "divergences", "energy")]
    if any(f.level == "problem" for f in relevant):
        return "Sampling problems: fix these before interpreting the results."
    if not all(f.judged for f in relevant):
        return "Convergence could not be assessed; results from these draws are unverified."
    if any(f.level == "caution" for f in relevant):
        return "Sampling warnings: see below before interpreting the results."
    return "No sampling problems detected."


def _about_fit(findings: list[Finding]) -> str:
    if any(f.topic == "calibration" and f.level == "problem" for f in findings):
        return "The model fits the data poorly; error bars do not account for that."
    if any(f.topic == TOPIC and f.level != "ok" for f in findings):
        return "The model misses features of the data; see the predictive checks."
    return ""


def _about_estimates(findings: list[Finding], statuses: dict[str, str]) -> str:
    bad = [_NAMES[kind] for kind, s in statuses.items() if _STATUS[s][0] == "problem"]
    if not bad:
        return "All point estimates exist."
    return f"Do not use: {', '.join(bad)}."
