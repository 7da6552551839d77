"""Values that are computed when first asked for and then kept on their owner.

`functools.cached_property` takes a lock on Python 3.11 and asks for a settable attribute; facts are frozen,
belong to one thread, and are made by the hundred thousand.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Owner = TypeVar("Owner")
Value = TypeVar("Value")


class derived(Generic[Owner, Value]):  # noqa: N801 - used as a decorator, beside `property`
    """A property that is computed once. Found in the instance's own dictionary from then on."""

    def __init__(self, compute: Callable[[Owner], Value]) -> None:
        self.compute = compute
        self.name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, owner: None, of: type[Owner]) -> "derived[Owner, Value]": ...
    @overload
    def __get__(self, owner: Owner, of: type[Owner]) -> Value: ...
    def __get__(self, owner: Owner | None, of: type[Owner]) -> Any:
        if owner is None:
            return self
        value = owner.__dict__[self.name] = self.compute(owner)
        return value
