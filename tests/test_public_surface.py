"""What `import sigseek` offers: whatever its public methods take, return or raise."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sigseek
from tests.conftest import ROOT

OF_PYTHON = {
    "Any", "Callable", "Iterator", "Mapping", "Path", "Self", "Sequence", "TracebackType",
    "bool", "bytes", "dict", "float", "int", "list", "str", "timedelta", "tuple", "type",
    "BaseException", "Exception",
}  # fmt: skip
ALIASES = {"StrPath", "Floats"}
"""Names for types of others, which an editor shows."""


def test_all_is_sorted_and_complete() -> None:
    assert sorted(sigseek.__all__) == sigseek.__all__
    assert dir(sigseek) == sigseek.__all__
    assert set(sigseek._HOMES) | {"__version__"} == set(sigseek.__all__)
    for name in sigseek.__all__:
        assert getattr(sigseek, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = sigseek.nonsense  # type: ignore[attr-defined]


def test_type_checkers_are_given_every_name_from_where_it_is_defined() -> None:
    """A name that is missing there would be of any type, without a complaint."""
    tree = ast.parse((ROOT / "sigseek" / "__init__.py").read_text())
    (given,) = (node for node in tree.body if ast.unparse(node).startswith("if TYPE_CHECKING:"))
    homes = {
        alias.asname or alias.name: node.module
        for node in ast.walk(given)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert homes == sigseek._HOMES


def test_what_annotations_of_public_methods_name_is_exported() -> None:
    tree = ast.parse((ROOT / "sigseek" / "library.py").read_text())
    (library,) = (
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Library"
    )
    functions = [
        node
        for node in (*library.body, *tree.body)
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    named = set()
    for function in functions:
        arguments = function.args
        annotated = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        annotated += [arguments.vararg] if arguments.vararg else []
        annotations = [each.annotation for each in annotated if each.annotation]
        annotations += [function.returns] if function.returns else []
        for annotation in annotations:
            names = [node for node in ast.walk(annotation) if isinstance(node, ast.Name)]
            named |= {node.id for node in names}
    assert {"IndexReport", "SearchResults", "VerifyReport", "Library"} <= named
    assert named - OF_PYTHON - ALIASES <= set(sigseek.__all__)


def test_every_error_class_is_exported() -> None:
    """A user of the library can catch what is raised by its own name."""
    for name in sigseek.__all__:
        getattr(sigseek, name)

    def below(kind: type[BaseException]) -> set[type[BaseException]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    for kind in below(sigseek.SigseekError):
        if not kind.__module__.startswith(("tests.", "sigseek.demo.")):
            exported = [each for each in kind.__mro__ if each.__name__ in sigseek.__all__]
            assert exported[0] is not sigseek.SigseekError or kind is sigseek.SigseekError, kind


def test_objects_show_what_they_are(tmp_path: Path, drawn: Path) -> None:
    with sigseek.open(tmp_path / "library", model="mini") as library:
        assert repr(library) == f"<sigseek.Library {str(tmp_path / 'library')!r}, model 'mini'>"
        report = library.index(drawn)
        assert "added=40" in repr(report)
        found = library.search("at night", limit=2)
        assert repr(found).startswith("<SearchResults: 2 hits of 40 photos, best probability ")
        assert repr(library.search("at night", limit=1)).startswith("<SearchResults: 1 hit of 40 ")
        assert repr(found[0]).startswith("Hit(rank=1, probability=")
        assert repr(found[0]).endswith(f"path={found[0].path!r})")


def test_an_orderly_exit_for_profilers() -> None:
    code = (
        "import atexit; atexit.register(print, 'at exit'); "
        "from sigseek.__main__ import main; main()"
    )
    for asked, printed in (({}, False), ({"SIGSEEK_ORDERLY_EXIT": "1"}, True)):
        done = subprocess.run(
            [sys.executable, "-c", code, "--version"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/bin:/bin", **asked},
        )
        assert ("at exit" in done.stdout) == printed
