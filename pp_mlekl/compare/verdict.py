"""One verdict from everything that a comparison found."""

from dataclasses import dataclass

from pp_mlekl.diagnostics import Diagnostics, Finding

_STATUS = {
    "converged": ("ok", "is a proper maximum"),
    "boundary": ("caution", "lies on the boundary of the parameter space: a value, but no standard error"),
    "at_infinity": ("problem", "does not exist: the likelihood keeps rising as a parameter runs off"),
    "unbounded": ("problem", "does not exist: the density has no finite supremum"),
    "not_identified": ("problem", "is not unique: the data do not identify all parameters"),
    "multimodal": ("caution", "is one of several maxima of equal or nearly equal height"),
    "failed": ("problem", "was not found"),
}
_NAMES = {"mle": "The MLE", "map": "The MAP (natural scale)", "map_unconstrained": "The MAP (unconstrained scale)"}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to trust: one sentence and the findings it rests on.

    Parameters
    ----------
    sentence
        The conclusion.
    findings
        Each with a level (``ok``, ``caution``, ``problem``), a topic and a text.
    """

    sentence: str
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        mark = {"ok": "+", "caution": "!", "problem": "x"}
        lines = [f"  {mark[f.level]} {f.topic}: {f.text}" for f in self.findings]
        return "\n".join([self.sentence, *lines])


def read_verdict(
    statuses: dict[str, str], warnings: dict[str, list[str]], diagnostics: Diagnostics, truth_unknown: bool
) -> Verdict:
    """Read statuses, warnings and diagnostics together."""
    estimates = [_about_estimate(kind, status, warnings.get(kind, [])) for kind, status in statuses.items()]
    computed = [
        Finding(level="caution", topic=topic, text=text)
        for key, topic in (("information_gain", "prior to posterior"), ("fitted", "fitted distributions"))
        for text in warnings.get(key, [])
    ]
    sampling = list(diagnostics.findings)
    sentence = " ".join([_about_sampling(sampling), _about_estimates(estimates, statuses)])
    if truth_unknown:
        sentence += " Nobody knows the truth here, so no number says how wrong a fit is; the fits are compared with one another."
    return Verdict(sentence=sentence, findings=tuple([*sampling, *estimates, *computed]))


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
    if any(f.level == "caution" for f in relevant):
        return "The sampling is usable, with reservations."
    return "The sampling is sound."


def _about_estimates(findings: list[Finding], statuses: dict[str, str]) -> str:
    bad = [_NAMES[kind].removeprefix("The ") for kind, s in statuses.items() if _STATUS[s][0] == "problem"]
    if not bad:
        return "The point estimates exist."
    return f"Not to be used: {', '.join(bad)}."
