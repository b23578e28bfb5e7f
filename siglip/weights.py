"""What a safetensors file holds: its tensors' names, and single numbers among them.

Read by the format's layout (github.com/huggingface/safetensors): eight bytes with the header's length, the header in
JSON, the tensors. The format's own reader brings numpy, which takes as long to load as 30,000 files to look at.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

_LENGTH = struct.Struct("<Q")
_NUMBERS = {"F16": struct.Struct("<e"), "F32": struct.Struct("<f"), "F64": struct.Struct("<d")}


@dataclass(frozen=True)
class Tensor:
    """A tensor's type, as the format names it, and where in the file its bytes lie."""

    dtype: str
    start: int
    end: int


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of the file by name. ValueError when it is no safetensors file or is not whole,
    OSError when unreadable.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(_LENGTH.size)
        if len(beginning) < _LENGTH.size:
            raise ValueError("it has no header")
        begin = _LENGTH.size + _LENGTH.unpack(beginning)[0]
        if begin > size:
            raise ValueError("its header is cut off, or it is no safetensors file")
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
    """The one number of a float tensor in half, single or double precision; ValueError for any
    other tensor.
    """
    number = _NUMBERS.get(tensor.dtype)
    if number is None or tensor.end - tensor.start != number.size:
        raise ValueError(f"{tensor.end - tensor.start} bytes of {tensor.dtype} are not one number")
    with path.open("rb") as file:
        file.seek(tensor.start)
        return float(number.unpack(file.read(number.size))[0])
