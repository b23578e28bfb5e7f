"""The names of a safetensors file's tensors, and single numbers among them.

The layout (github.com/huggingface/safetensors) is eight bytes with the header's length, the header
in JSON, and the tensors. The format's own reader imports numpy, which takes as long as scanning
30,000 files.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

_LENGTH = struct.Struct("<Q")
_NUMBERS = {"F16": struct.Struct("<e"), "F32": struct.Struct("<f"), "F64": struct.Struct("<d")}


@dataclass(frozen=True)
class Tensor:
    """A tensor's type, as the format names it, and the range of its bytes in the file."""

    dtype: str
    start: int
    end: int


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of the file by name.

    Raises ValueError when it is not a complete safetensors file, OSError when it is unreadable.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(_LENGTH.size)
        if len(beginning) < _LENGTH.size:
            raise ValueError("it has no header")
        begin = _LENGTH.size + _LENGTH.unpack(beginning)[0]
        if begin > size:
            raise ValueError("its header is cut off, or it is not a safetensors file")
        header = json.loads(file.read(begin - _LENGTH.size))
    try:
        header.pop("__metadata__", None)
        places = {name: (entry["dtype"], *entry["data_offsets"]) for name, entry in header.items()}
        tensors = {
            name: Tensor(dtype, begin + start, begin + end)
            for name, (dtype, start, end) in places.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError("its header is of another form") from error
    if not all(begin <= tensor.start <= tensor.end for tensor in tensors.values()):
        raise ValueError("a tensor's place is not after its header")
    if max((tensor.end for tensor in tensors.values()), default=begin) != size:
        raise ValueError("it ends before or after its last tensor")
    return tensors


def read_number(path: Path, tensor: Tensor) -> float:
    """Return the number of a float tensor that has one, in half, single or double precision.

    Raises ValueError for any other tensor.
    """
    number = _NUMBERS.get(tensor.dtype)
    if number is None or tensor.end - tensor.start != number.size:
        raise ValueError(f"{tensor.end - tensor.start} bytes of {tensor.dtype} are not one number")
    with path.open("rb") as file:
        file.seek(tensor.start)
        return float(number.unpack(file.read(number.size))[0])
