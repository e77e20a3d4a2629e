"""A model's distributions as LaTeX."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

# Greek letters have commands in LaTeX, except omicron.
_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega".split()
)
# A word with the bracket that makes it a function or the sign that makes it the name of an argument, and operators.
_TOKEN = re.compile(r"(?P<word>[^\W\d]\w*)(?P<after>\(|=)?|(?P<dots>\.\.\.)|(?P<operator>[@*%#&{}])")
_SIGNS = {"potential": ":", "deterministic": "="}
_OPERATORS = {"@": r"\,", "*": r"\cdot ", "%": r"\%", "#": r"\#", "&": r"\&", "{": r"\{", "}": r"\}"}


def latex_equations(variables: Iterable[Mapping[str, Any]]) -> str:
    r"""One line for each variable, in an ``aligned`` environment of amsmath.

    Parameters
    ----------
    variables
        ``name``, ``kind`` and ``distribution`` of each, as in ``Comparison.variables`` and ``Comparison.definitions``.

    Examples
    --------
    >>> print(latex_equations([{"name": "tau_1", "kind": "free", "distribution": "HalfNormal(sigma=2)"}]))
    \begin{aligned}
    \mathrm{tau\_1} &\sim \operatorname{HalfNormal}(\sigma = 2)
    \end{aligned}
    """
    lines = [
        f"{_name(v['name'])} &{_SIGNS.get(v['kind'], r'\sim')} {_TOKEN.sub(_token, v['distribution'])}"
        for v in variables
    ]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _name(name: str) -> str:
    """A variable: a Greek letter, a single letter, or a word in upright type."""
    if name in _GREEK:
        return f"\\{name}"
    return name if len(name) == 1 else f"\\mathrm{{{re.sub(r'([_#$%&{}])', r'\\\1', name)}}}"


def _token(match: re.Match[str]) -> str:
    if match["dots"]:
        return r"\ldots "
    if match["operator"]:
        return _OPERATORS[match["operator"]]
    if match["after"] == "(":
        function = _name(match["word"])
        return f"{function if function == match['word'] else function.replace('mathrm', 'operatorname', 1)}("
    return f"{_name(match['word'])}{' = ' if match['after'] else ''}"
