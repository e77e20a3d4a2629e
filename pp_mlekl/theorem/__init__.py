"""Maximum likelihood minimises KL(truth||model): the argument as computed numbers, step by step."""
