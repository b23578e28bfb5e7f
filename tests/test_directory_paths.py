"""The paths of hits where a query names a directory and photos have copies elsewhere."""

import shutil
from pathlib import Path

import pytest

import sigseek
from tests.photos import photograph


@pytest.mark.parametrize("query", ["in:{}", "x OR in:{}"])
def test_a_hit_has_its_path_in_the_directory_that_was_asked_for(tmp_path: Path, query: str) -> None:
    """People pass these paths to other programs, which may delete the files."""
    originals, incoming = tmp_path / "photos" / "a", tmp_path / "photos" / "b"
    originals.mkdir(parents=True)
    incoming.mkdir()
    photograph(1, (160, 120)).save(originals / "1.jpg")
    shutil.copy(originals / "1.jpg", incoming / "1.jpg")
    photograph(2, (160, 120)).save(originals / "2.jpg")
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.index(tmp_path / "photos")
        for asked, elsewhere in ((incoming, originals), (originals, incoming)):
            found = library.search(query.format(f'"{asked}"'))
            (hit,) = [hit for hit in found if hit.copies]
            assert (hit.path, hit.copies) == (
                str(asked / "1.jpg"),
                (str(elsewhere / "1.jpg"),),
            )
            assert hit.available
        assert found.best is not None
        assert Path(found.best.path).parent == originals
        (incoming / "1.jpg").unlink()
        (gone,) = library.search(f'in:"{incoming}"')
        assert (gone.path, gone.available) == (str(incoming / "1.jpg"), False)
