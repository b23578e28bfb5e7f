import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigseek
from sigseek.errors import Call, ErrorKind, Option, Remedy, SigseekError


def test_an_error_tells_what_was_found_and_what_to_do() -> None:
    remedy = Remedy(
        "add some with: {}, or pass {}", (Call("index", ("FOLDER",)), Option("model", "mini"))
    )
    error = SigseekError("the library is empty", remedy, ErrorKind.NOT_FOUND)
    assert str(error) == (
        "the library is empty; add some with: library.index(FOLDER), or pass model='mini'"
    )
    assert error.spelled(lambda step: "X") == "the library is empty; add some with: X, or pass X"


def test_calls_are_written_as_in_python() -> None:
    assert str(Call("relocate", ("/a b", "NEW"))) == "library.relocate('/a b', NEW)"
    assert str(Call("verify", options=(("repair", True),))) == "library.verify(repair=True)"
    assert str(Option("precision")) == "precision"


@given(st.text(), st.text())
def test_texts_may_hold_braces(found: str, remedy: str) -> None:
    assert str(SigseekError(found, remedy)) == f"{found}; {remedy}"


@pytest.mark.parametrize(
    "error",
    [
        sigseek.LibraryError("a", "b {}", ErrorKind.BUSY),
        sigseek.DecodeError("a"),
        sigseek.QuerySyntaxError("a (", 3, "never closed", "close it"),
        sigseek.UnknownTagError("sea", ["beach"]),
    ],
)
def test_errors_survive_another_process(error: SigseekError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.kind) == (type(error), str(error), error.kind)


def test_every_error_of_the_public_surface_has_the_base() -> None:
    names = [name for name in sigseek.__all__ if name.endswith("Error")]
    assert len(names) > 8
    for name in names:
        assert issubclass(getattr(sigseek, name), sigseek.SigseekError)
