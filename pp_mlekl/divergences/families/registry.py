"""The table of families."""

from pp_mlekl.divergences.distribution import Distribution

FAMILIES: dict[str, type[Distribution]] = {}


def register_family[D: type[Distribution]](cls: D) -> D:
    """Enter a family under its class name; a second one of the same name is an error."""
    if cls.__name__ in FAMILIES:
        raise ValueError(f"The family {cls.__name__} is registered already; choose another name.")
    FAMILIES[cls.__name__] = cls
    return cls
