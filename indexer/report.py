"""How an indexing run goes, and how it went."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A moment of a run."""

    done: int
    """Files settled, of `total`."""
    total: int
    embedded: int
    failed: int


@dataclass
class IndexReport:
    """What a run did. scanned = added + changed + moved + unchanged + failed."""

    scanned: int = 0
    """Files with a picture's extension that are there."""
    added: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    missing: int = 0
    """Files known from before that are not there now; their photos stay in the library."""
    offline: int = 0
    """Files of folders that are not there at all, an unplugged drive for example."""
    failed: int = 0
    """Files that could not be used, those of earlier runs included; `sigseek failures` lists them."""
    seconds: float = 0.0
    images_per_second: float = 0.0
    """Photos embedded over the time from the first file read to the last commit, loading of the checkpoint excluded."""
    device: str | None = None
    """None when nothing had to be embedded."""
    model: str = ""
