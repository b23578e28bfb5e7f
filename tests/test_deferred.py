"""Names of packages that are loaded when they are first asked for."""

import sys
from pathlib import Path

import pytest

from sigseek import indexer, storage
from sigseek.deferred import load_from


def test_a_name_is_loaded_from_its_module() -> None:
    assert load_from("string", "digits") == "0123456789"


@pytest.mark.parametrize("package", ["sigseek", "sigseek.indexer", "sigseek.storage"])
def test_a_mistake_in_a_module_is_not_taken_for_a_name_that_does_not_exist(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_home.py").write_text("import string\nstring.nothing_of_the_kind\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules[package]._HOMES, "Broken", "broken_home")
    with pytest.raises(ImportError, match=r"broken_home .*no attribute 'nothing_of_the_kind'"):
        exec(f"from {package} import Broken")


def test_other_names_do_not_exist() -> None:
    for package in (indexer, storage):
        assert not hasattr(package, "nothing_of_the_kind")
