"""Every message of the package: its length, its wording, and the remedy in errors.

Messages are collected from the source: the texts of exceptions, warnings and findings, and all other sentences that are not
docstrings. Placeholders are rendered as ``…``.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pp_mlekl"
LONGEST = 330
# A sentence has at least this many words; shorter strings are names and labels.
FEWEST_WORDS = 4

# What to write instead stands in the table of words of the contributing guide.
AVOIDED = re.compile(
    r"\b(com(e|es|ing) to rest|at rest|run(s|ning)? off|way to infinity|so many|so much|is told|are told|not told|told (of|from)|"
    r"to be had|cannot be had|but rounding|nobody knows|mend(ed|s)?|not to be trusted|contradict the model|the model predicts them|"
    r"may say most|may disagree|proper maximum|no finite supremum|one maximum among equals|taken to be infinite|"
    r"says why there is none|sway the fit|throw(s)? away|reservations?|starts that agree|k-hat|far out|the way (up|back))\b",
    re.IGNORECASE,
)
# An error says what to do, or which values are valid.
REMEDIES = {"remedy", "hint"}  # variables that hold what to do
REMEDY = re.compile(
    r"\b(use|pass|give|choose|set|write|take|install|sort|reparametri[sz]e|increase|reduce|check|add|remove|rename|call|leave|"
    r"marginalize|replace|keep|compare|run|read|delete|simulate|drop|thin|build|declare|list|move|make|put|fit|look for|name|see|"
    r"try|did you mean|must|needs?|needed|has to|have to|only|allowed|supported|expected|at least|at most|the keys are|or bootstrap|"
    r"available)\b",
    re.IGNORECASE,
)
# What is counted stands in the singular after 1: ``counted`` of pp_mlekl/utils/counts.py writes both.
UNCOUNTED = re.compile(
    r"…,? (?:[a-z]+ )?(observations|rows|draws|chains|parameters|statistics|data sets|replicates|simulations|transitions|latents|"
    r"dimensions|directions|maxima|starts|batches|coordinates|terms|weights|pairs|vectors)\b(?![=/])"
)


@dataclass(frozen=True)
class Message:
    """A text and where it stands; ``is_error`` for the argument of a ``raise``."""

    text: str
    where: str
    is_error: bool


def variables(tree: ast.Module) -> dict[str, str]:
    """The texts that variables of the module and of its functions hold, by name."""
    return {
        target.id: text
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and (text := rendered(node.value, {})) is not None
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def rendered(node: ast.expr, known: dict[str, str]) -> str | None:
    """The text of a string expression with ``…`` for placeholders of which nothing is ``known``; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = (v.value if isinstance(v, ast.Constant) else _placeholder(v, known) for v in node.values)
        return "".join(map(str, parts))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = rendered(node.left, known), rendered(node.right, known)
        return None if left is None and right is None else f"{left or '…'}{right or '…'}"
    return None


def _placeholder(node: ast.expr, known: dict[str, str]) -> str:
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    if isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "counted":
        return "2 things"
    if not isinstance(inner, ast.Name):
        return "…"
    return known.get(inner.id, "see" if inner.id in REMEDIES else inner.id if inner.id.isupper() else "…")


def docstrings(tree: ast.AST) -> set[int]:
    """Identities of the string nodes that stand as statements: docstrings and notes on attributes."""
    return {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}


def messages(source: str, where: str) -> Iterator[Message]:
    """All sentences in a module's source."""
    tree = ast.parse(source)
    skipped = docstrings(tree)
    errors = {id(n) for r in ast.walk(tree) if isinstance(r, ast.Raise) and r.exc for n in ast.walk(r.exc)}
    inner: set[int] = set()
    known = variables(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr) or id(node) in skipped or id(node) in inner:
            continue
        text = rendered(node, known)
        if text is None:
            continue
        inner |= {id(n) for n in ast.walk(node)}
        if len(text.split()) >= FEWEST_WORDS:
            yield Message(text=" ".join(text.split()), where=f"{where}:{node.lineno}", is_error=id(node) in errors)


def faults(message: Message) -> list[str]:
    """What is wrong with a message."""
    found = []
    if len(message.text) > LONGEST:
        found.append(f"has {len(message.text)} characters, at most {LONGEST} are read")
    if avoided := AVOIDED.search(message.text):
        found.append(f"says {avoided.group()!r}")
    if uncounted := UNCOUNTED.search(message.text):
        found.append(f"says {uncounted.group()!r} also of one: use counted()")
    if message.is_error and not REMEDY.search(message.text):
        found.append("does not say what to do")
    return found


@cache
def all_messages() -> list[Message]:
    """The messages of all modules."""
    return [
        m
        for path in sorted(PACKAGE.rglob("*.py"))
        for m in messages(path.read_text(encoding="utf-8"), str(path.relative_to(PACKAGE)))
    ]


def test_messages_are_found():
    assert len(all_messages()) > 300
    assert sum(m.is_error for m in all_messages()) > 100


@pytest.mark.parametrize("folder", sorted({path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")}))
def test_messages_are_short_plain_and_helpful(folder):
    bad = [
        f"{m.where}: {'; '.join(f)}: {m.text}"
        for m in all_messages()
        if m.where.startswith(folder)
        for f in [faults(m)]
        if f
    ]
    assert not bad, "\n" + "\n".join(bad)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('raise ValueError(f"The sampling of {x} went quite wrong.")', "what to do"),
        ('note = "Those draws are not to be trusted here."', "not to be trusted"),
        ('finding("ok", "prior", "The search comes to rest at " + name)', "comes to rest"),
        (f'warn("{"word " * 100}")', "characters"),
        ('note = f"None of {n} influential observations was left out."', "counted()"),
    ],
)
def test_a_bad_message_is_found(source, fault):
    (message,) = messages(source, "here")
    assert any(fault in f for f in faults(message))


def test_docstrings_and_names_are_no_messages():
    assert (
        list(messages('def f():\n    """Nobody knows what is told here."""\n    return "three words only"', "here"))
        == []
    )
