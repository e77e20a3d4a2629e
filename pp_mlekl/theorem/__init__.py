"""Maximum likelihood minimises KL(true||model): the theorem as computed numbers, step by step."""
