"""The frames of the journal: what is read is what was written, whatever happened to the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from ostinato.store.append import Writer
from ostinato.store.journal import Frame, Journal, frame, read, read_writer, tail

if TYPE_CHECKING:
    from pathlib import Path

frames = st.lists(st.binary(max_size=40), max_size=4)


def _file(payloads: list[bytes]) -> tuple[bytes, list[int], list[Frame]]:
    """Give the bytes of frames with these payloads, where each ends, and the frames."""
    data, ends, wanted = b"", [], []
    for number, payload in enumerate(payloads, start=1):
        data += frame(number, 1, payload)
        ends.append(len(data))
        wanted.append(Frame(number, 1, payload))
    return data, ends, wanted


@given(frames)
def test_whole_frames_are_read_back(payloads: list[bytes]) -> None:
    data, ends, wanted = _file(payloads)
    assert list(read(data)) == list(zip(ends, wanted, strict=True))
    assert tail(data, len(data)) == ""


@given(frames, st.binary(max_size=40), st.data())
def test_a_frame_that_was_being_written_is_torn(payloads: list[bytes], last: bytes, choose: st.DataObject) -> None:
    data, ends, wanted = _file(payloads)
    unfinished = frame(len(payloads) + 1, 1, last)
    cut = choose.draw(st.integers(1, len(unfinished) - 1))
    torn = data + unfinished[:cut]
    assert list(read(torn)) == list(zip(ends, wanted, strict=True))
    assert tail(torn, len(data)) == "torn"


@given(frames.filter(bool), st.data())
def test_a_changed_bit_never_gives_a_wrong_frame(payloads: list[bytes], choose: st.DataObject) -> None:
    data, ends, wanted = _file(payloads)
    changed = bytearray(data)
    place = choose.draw(st.integers(0, len(data) - 1))
    changed[place] ^= 1 << choose.draw(st.integers(0, 7))
    n_before = sum(end <= place for end in ends)
    found = list(read(bytes(changed)))
    assert found == list(zip(ends, wanted, strict=True))[:n_before]
    assert tail(bytes(changed), ends[n_before - 1] if n_before else 0) == "damaged"


def test_a_segment_names_its_writer(tmp_path: Path) -> None:
    writer = Writer("s" * 32, 12, "here", 34)
    journal = Journal(str(tmp_path), writer)
    journal.append(1, 2, b"block")
    place = journal.append(3, 1, b"next block")
    assert journal.load(place) == b"next block"
    (path,) = tmp_path.iterdir()
    found = [one for _, one in read(path.read_bytes())]
    assert read_writer(found[0]) == writer
    assert found[1:] == [Frame(1, 2, b"block"), Frame(3, 1, b"next block")]
    assert [one.last_seq for one in found[1:]] == [2, 3]
    journal.finish()
    assert list(tmp_path.iterdir()) == []
