"""Maximum likelihood minimises KL(true||model): the argument as computed numbers, step by step."""

from pp_mlekl.proof.result import Check, Proof, Step
from pp_mlekl.proof.run import proof

__all__ = ["Check", "Proof", "Step", "proof"]
