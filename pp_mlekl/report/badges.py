"""The badges of a page: one for each part of a comparison, with a level, a word, a sentence and a link to the evidence."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pp_mlekl.report.formatting import UNAVAILABLE, with_error
from pp_mlekl.report.protocols import ComparisonLike, FindingLike
from pp_mlekl.utils.counts import counted

_ORDER = {"problem": 0, "caution": 1, "ok": 2}
_SAMPLING = ("convergence", "efficiency", "divergences", "energy", "precision")
# What each topic about the fit says if it is not in order, the worst first.
_FIT = {"calibration": "Poor fit", "predictive checks": "Misses features", "leave-one-out": "Check leave-one-out"}
_MAX_SENTENCE = 150
_SENTENCE_END = re.compile(r"(?<=\.) (?=[A-Z])")


@dataclass(frozen=True, kw_only=True)
class Badge:
    """Level (``ok``, ``caution``, ``problem``), topic, a word or number, a sentence, and the id of the section it links to."""

    level: str
    topic: str
    word: str
    sentence: str
    href: str


def badges(comparison: ComparisonLike) -> list[Badge]:
    """The badges of a comparison, the worst first."""
    findings = list(comparison.verdict().findings)
    audit = comparison.tree["audit"].to_dataset()
    found: list[Badge | None] = [_sampling(comparison, [f for f in findings if f.topic in _SAMPLING])]
    for topic, kind, label in (("MLE", "mle", "MLE"), ("MAP", "map", "MAP (natural scale)")):
        agree = f"{int(audit['agree'].sel(estimator=kind))} of {counted(int(audit['starts'].sel(estimator=kind)), 'start')} agree."
        found.append(_estimate(topic, comparison.statuses[kind], [f for f in findings if f.topic == label], agree))
    if comparison.marginal:
        about = [f for f in findings if f.topic == "Marginal MLE"]
        without = f"With {', '.join(comparison.marginal.latents)} integrated out."
        found.append(_estimate("Marginal MLE", comparison.marginal.status, about, without))
    found += [_prior(findings), _information(comparison), _fit(findings)]
    return sorted((b for b in found if b is not None), key=lambda b: _ORDER[b.level])


def _sampling(comparison: ComparisonLike, findings: list[FindingLike]) -> Badge:
    level = _worst(findings)
    word = {"ok": "Reliable", "caution": "Check", "problem": "Problems"}[level]
    if not all(f.judged for f in findings):
        word = "Not assessed"
    if level == "ok":
        table = comparison.diagnostics.summary
        size = np.minimum(table["ess_bulk"].astype(float), table["ess_tail"].astype(float)).min()
        sentence = f"R-hat ≤ {table['r_hat'].astype(float).max():.3f}, ESS ≥ {np.floor(size):.0f}."
        if any(f.topic == "divergences" for f in findings):
            sentence = f"{sentence[:-1]}, no divergent transitions."
    else:
        sentence = next(f.text for f in findings if f.level == level)
    return Badge(level=level, topic="Sampling", word=word, sentence=_short(sentence), href="sampling")


def _estimate(topic: str, status: str, findings: list[FindingLike], agree: str) -> Badge:
    level = _worst(findings)
    text = findings[0].text if findings else ""
    sentence = agree if level == "ok" else text.partition(". ")[2] or text
    return Badge(
        level=level,
        topic=topic,
        word=status.replace("_", " ").capitalize(),
        sentence=_short(sentence),
        href="optimization",
    )


def _prior(findings: list[FindingLike]) -> Badge | None:
    about = [f for f in findings if f.topic == "prior"]
    if not about:
        return None
    level = _worst(about)
    word = "Low sensitivity" if level == "ok" else "Sensitive"
    if not all(f.judged for f in about):
        word = "Not assessed"
    sentence = next(f.text for f in about if f.level == level)
    return Badge(level=level, topic="Prior", word=word, sentence=_short(sentence), href="checks")


def _information(comparison: ComparisonLike) -> Badge:
    gained = comparison.tree["information_gain"]
    joint = gained["joint"].to_dataset() if "joint" in gained.children else {}
    value = float(joint["kl_posterior_prior"]) if "kl_posterior_prior" in joint else np.nan
    warned = comparison.warnings()["information_gain"]
    if np.isnan(value):
        reason = warned[0] if warned else "The joint divergence from the prior was not computed."
        return Badge(
            level="caution", topic="Information", word=UNAVAILABLE.capitalize(), sentence=_short(reason), href="learned"
        )
    doubt = [w for w in warned if w.startswith(("kl_posterior_prior", "log_evidence"))]
    word = f"{with_error(value, float(joint['kl_posterior_prior_mcse']))} nats"
    sentence = doubt[0].partition(": ")[2] if doubt else "KL(posterior‖prior) of all parameters jointly."
    return Badge(
        level="caution" if doubt else "ok", topic="Information", word=word, sentence=_short(sentence), href="learned"
    )


def _fit(findings: list[FindingLike]) -> Badge | None:
    about = [f for f in findings if f.topic in _FIT]
    if not about:
        return None
    level = _worst(about)
    first = next((f.topic for topic in _FIT for f in about if f.topic == topic and f.level != "ok"), "")
    sentence = next(f.text for topic in _FIT for f in about if f.topic == topic and f.level == level)
    return Badge(
        level=level, topic="Fit", word=_FIT.get(first, "No misfit detected"), sentence=_short(sentence), href="checks"
    )


def _worst(findings: Iterable[FindingLike]) -> str:
    return min((f.level for f in findings), key=_ORDER.__getitem__, default="ok")


def _short(sentence: str) -> str:
    """As many sentences as have at most ``_MAX_SENTENCE`` characters together; a longer first one is cut between words."""
    first, *more = _SENTENCE_END.split(" ".join(sentence.split()))
    if len(first) > _MAX_SENTENCE:
        return f"{first[:_MAX_SENTENCE].rpartition(' ')[0].rstrip(',;:')} …"
    for one in more:
        if len(first) + 1 + len(one) > _MAX_SENTENCE:
            break
        first = f"{first} {one}"
    return first
