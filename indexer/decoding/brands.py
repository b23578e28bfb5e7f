"""The brands by which an ISO media file, such as HEIF, names its format."""

HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
AVIF = {b"avif", b"avis"}
CANON_RAW = b"crx "


def brands(head: bytes) -> set[bytes]:
    """Return the brands that the first bytes of a file name; none for a file of another kind."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4]), len(head))
    return {head[8:12]} | {head[at : at + 4] for at in range(16, end - 3, 4)}
