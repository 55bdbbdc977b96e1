"""Frozen objects at the price of open ones, in a process that does nothing but play seeds.

A frozen dataclass sets each field by a call of its own, and the guard makes new nouns at every look: that was a fifth
of a seed. That nobody writes to a noun is what the types check, and every other test runs with them frozen.
"""

from __future__ import annotations

import sys
from dataclasses import field, fields, make_dataclass


def thaw() -> None:
    """From here on, the product's frozen dataclasses of this process are made as if they were not frozen."""
    for name, module in tuple(sys.modules.items()):
        if name.startswith("rollguard."):
            for cls in tuple(vars(module).values()):
                if isinstance(cls, type) and cls.__module__ == name and "__setattr__" in vars(cls):
                    _thaw(cls)


def _thaw(cls: type) -> None:
    """Its own `__init__`, written for an open class of the same fields."""
    same = [
        (f.name, object, field(default=f.default, default_factory=f.default_factory, init=f.init, kw_only=f.kw_only))
        for f in fields(cls)
    ]
    after = {"__post_init__": lambda _self: None} if hasattr(cls, "__post_init__") else {}
    open_ = make_dataclass(cls.__name__, same, namespace=after)
    type.__delattr__(cls, "__setattr__")
    type.__delattr__(cls, "__delattr__")
    type.__setattr__(cls, "__init__", vars(open_)["__init__"])
