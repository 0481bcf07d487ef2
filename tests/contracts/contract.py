"""What every suite in this package is: tests of a port, bound to each of its adapters."""

from __future__ import annotations


class Contract:
    """A suite whose tests no subclass may replace or switch off: it gives fixtures alone."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        promised = {
            name for parent in cls.__mro__[1:] for name in vars(parent) if name.startswith("test")
        }
        if replaced := sorted(promised & vars(cls).keys()):
            raise TypeError(f"{cls.__name__} replaces tests of its contract: {replaced}")
