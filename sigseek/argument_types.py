"""The types of arguments, checked before a method runs. Else a wrong one would be noticed somewhere
inside, after half of the work, or never.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from numbers import Integral, Real
from types import FunctionType
from typing import NamedTuple, ParamSpec, TypeVar, cast

from sigseek.errors import Option, Remedy
from sigseek.operations.lists import in_short
from sigseek.progress import Listener, Stop
from sigseek.search.errors import QueryError

_In = ParamSpec("_In")
_Out = TypeVar("_Out")
_Class = TypeVar("_Class")

_TYPES: dict[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "Order": (str, "a text"),
    "int": (Integral, "a whole number"),  # NumPy's are, too
    "float": (Real, "a number"),
    "Mapping[str, StrPath]": (Mapping, "a dictionary of paths"),
    "Listener": (Listener, "a sigseek.Listener"),
    "Stop": (Stop, "a sigseek.Stop"),
}
"""The types that are checked, by their annotations, and what an error calls them."""
_OR_NONE = " | None"


class _Checked(NamedTuple):
    """The type of one argument."""

    type: type
    expected: str
    may_be_none: bool


def with_checked_types(class_: type[_Class]) -> type[_Class]:
    """Have all public methods of a class check the types of their arguments, as `checked` does."""
    for name, method in list(vars(class_).items()):
        if isinstance(method, FunctionType) and not name.startswith("_"):
            setattr(class_, name, checked(method))
    return class_


def checked(function: Callable[_In, _Out]) -> Callable[_In, _Out]:
    """Return the function with a check of its arguments, whose annotations must be texts. It raises
    QueryError for an argument that is not of the annotated type, if that is one of `_TYPES`.
    """
    types = {
        name: _Checked(*_TYPES[kind], may_be_none=kind != annotation)
        for name, annotation in function.__annotations__.items()
        if (kind := str(annotation).removesuffix(_OR_NONE)) in _TYPES and name != "return"
    }
    if not types:
        return function
    # `inspect` would tell the same in twenty times the time, at each start of the program. What a
    # parameter such as *folders takes is not checked here.
    code = cast(FunctionType, function).__code__
    in_order = code.co_varnames[: code.co_argcount]

    @wraps(function)
    def check_and_call(*args: _In.args, **kwargs: _In.kwargs) -> _Out:
        for name, value in {**dict(zip(in_order, args, strict=False)), **kwargs}.items():
            if name in types:
                _check(name, value, types[name])
        return function(*args, **kwargs)

    return check_and_call


def _check(name: str, value: object, wanted: _Checked) -> None:
    if not (isinstance(value, wanted.type) or (value is None and wanted.may_be_none)):
        raise QueryError(
            f"{in_short(value)} is not {wanted.expected}",
            Remedy(f"{{}} must be {wanted.expected}", (Option(name),)),
        )
