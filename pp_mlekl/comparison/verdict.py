"""One verdict from everything that a comparison found."""

from dataclasses import dataclass

from pp_mlekl.diagnostics.diagnose import Diagnostics
from pp_mlekl.diagnostics.findings import Finding
from pp_mlekl.report.labels import in_words

_STATUS = {
    "converged": ("ok", "A proper maximum"),
    "boundary": ("caution", "Lies on the boundary of the parameter space: a value, but no standard error"),
    "at_infinity": ("problem", "Does not exist: the likelihood keeps rising as a parameter runs off"),
    "unbounded": ("problem", "Does not exist: the density has no finite supremum"),
    "not_identified": ("problem", "Is not unique: the data do not identify all parameters"),
    "multimodal": ("caution", "One of several maxima of equal or nearly equal height"),
    "failed": ("problem", "Was not found"),
}
_NAMES = {"mle": "MLE", "map": "MAP (natural scale)", "map_unconstrained": "MAP (unconstrained scale)"}

_COMPUTED = {
    "information_gain": "prior to posterior",
    "prior_predictive": "prior predictive",
    "fitted": "fitted distributions",
}
_NO_TRUTH = "Nobody knows the truth here, so no number says how wrong a fit is; the fits are compared with one another."


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to trust: one sentence and the findings it rests on.

    Parameters
    ----------
    conclusion
        What to trust of this model, in a sentence or two.
    scope
        What no number can say where nobody knows the truth; empty where the truth is known.
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
        """The gravest level of the findings."""
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
    scales: Finding | None = None,
    closest: str = "",
) -> Verdict:
    """Read statuses, warnings, diagnostics, how far the two MAPs are apart and which fit is closest together."""
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
        findings=tuple([*sampling, *estimates, *([scales] if scales else []), *computed]),
    )


def _about_estimate(kind: str, status: str, warnings: list[str]) -> Finding:
    level, text = _STATUS[status]
    more = f" {' '.join(warnings)}" if warnings else ""
    if level == "ok" and warnings:
        level = "caution"
    return Finding(level=level, topic=_NAMES.get(kind, kind), text=f"{text}.{more}")


def _about_sampling(findings: list[Finding]) -> str:
    relevant = [f for f in findings if f.topic in ("convergence", "efficiency", "divergences", "energy")]
    if any(f.level == "problem" for f in relevant):
        return "The sampling is not to be trusted: mend it before reading what follows."
    if not all(f.judged for f in relevant):
        return "Whether the sampling is sound could not be judged, so nothing that rests on it is known to hold."
    if any(f.level == "caution" for f in relevant):
        return "The sampling is usable, with reservations."
    return "The sampling is sound."


def _about_fit(findings: list[Finding]) -> str:
    at_odds = any(f.topic == "calibration" and f.level == "problem" for f in findings)
    return "The data contradict the model: no error bar here covers that." if at_odds else ""


def _about_estimates(findings: list[Finding], statuses: dict[str, str]) -> str:
    bad = [_NAMES[kind] for kind, s in statuses.items() if _STATUS[s][0] == "problem"]
    if not bad:
        return "The point estimates exist."
    return f"Not to be used: {', '.join(bad)}."
