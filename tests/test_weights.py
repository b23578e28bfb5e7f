import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import save

from sigseek.siglip.weights import Tensor, read_number, read_tensors

DTYPES = {
    np.dtype(np.float16): "F16",
    np.dtype(np.float32): "F32",
    np.dtype(np.float64): "F64",
    np.dtype(np.int64): "I64",
}
TENSORS = st.dictionaries(
    st.text().filter(lambda name: name != "__metadata__"),
    st.sampled_from(list(DTYPES)).flatmap(
        lambda dtype: arrays(dtype, array_shapes(max_dims=2, max_side=3))
    ),
    min_size=1,
)


@given(TENSORS, st.booleans())
def test_what_the_formats_own_writer_wrote_is_found(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, np.ndarray], with_metadata: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.safetensors"
    path.write_bytes(save(tensors, {"format": "pt"} if with_metadata else None))
    found = read_tensors(path)
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        name: DTYPES[array.dtype] for name, array in tensors.items()
    }
    contents = path.read_bytes()
    for name, tensor in found.items():
        assert contents[tensor.start : tensor.end] == tensors[name].tobytes()
        if tensors[name].size == 1 and tensor.dtype != "I64":
            np.testing.assert_equal(read_number(path, tensor), float(tensors[name].item()))


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_value_error(
    tmp_path_factory: pytest.TempPathFactory, contents: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    for written in (contents, struct.pack("<Q", len(contents)) + contents):
        path.write_bytes(written)
        with suppress(ValueError):
            assert all(
                tensor.start >= 8 and tensor.end <= path.stat().st_size
                for tensor in read_tensors(path).values()
            )


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", "no header"),
        (b"PK\x03\x04 and more of a zip file", "not a safetensors file"),
        (struct.pack("<Q", 9) + b'{"a": 1}', "cut off"),
        (struct.pack("<Q", 2) + b"[]", "another form"),
        (struct.pack("<Q", 8) + b'{"a": 1}', "another form"),
        (
            struct.pack("<Q", 48)
            + b'{"a": {"dtype": "F32", "data_offsets": [4, 0]}}\n'
            + b"\0" * 4,
            "not after",
        ),
        (
            struct.pack("<Q", 48)
            + b'{"a": {"dtype": "F32", "data_offsets": [0, 4]}}\n'
            + b"\0" * 3,
            "before or after",
        ),
        (
            struct.pack("<Q", 48)
            + b'{"a": {"dtype": "F32", "data_offsets": [0, 4]}}\n'
            + b"\0" * 5,
            "before or after",
        ),
    ],
)
def test_what_is_not_whole_is_refused(tmp_path: Path, contents: bytes, said: str) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=said):
        read_tensors(path)


def test_known_numbers(tmp_path: Path) -> None:
    path = tmp_path / "numbers.safetensors"
    written = {
        "half": np.float16([4.5]),
        "single": np.array(-12.75, np.float32),
        "two": np.zeros(2, np.float32),
    }
    path.write_bytes(save(written))
    tensors = read_tensors(path)
    assert (read_number(path, tensors["half"]), read_number(path, tensors["single"])) == (
        4.5,
        -12.75,
    )
    for tensor in (tensors["two"], Tensor("BF16", 0, 2)):
        with pytest.raises(ValueError, match="are not one number"):
            read_number(path, tensor)
