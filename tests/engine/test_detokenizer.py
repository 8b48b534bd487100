"""Bytes to text, in any pieces: no half characters, no stop strings, nothing lost."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.engine.detokenizer import TextStream

BYTES = st.binary(max_size=30) | st.text(max_size=20).map(str.encode)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@given(BYTES, st.lists(st.integers(0, 40), max_size=8))
def test_pieces_equal_the_whole(data: bytes, cuts: list[int]) -> None:
    stream = TextStream()
    text = "".join(stream.feed(piece) for piece in pieces(data, cuts)) + stream.flush()
    assert text == data.decode("utf-8", "replace")


@given(st.text(max_size=20))
def test_a_character_comes_whole(text: str) -> None:
    stream = TextStream()
    assert [piece for byte in text.encode() if (piece := stream.feed(bytes([byte])))] == list(text)
    assert stream.flush() == ""


def test_half_a_character_at_the_end_is_marked_and_the_stream_goes_on() -> None:
    stream = TextStream()
    assert stream.feed("€".encode()[:2]) == ""
    assert stream.flush() == "\ufffd"
    assert stream.feed("€".encode()) == "€"


@given(st.lists(st.sampled_from([b"a", b"b", b"ab", b"aab", b"c", "ü".encode(), b"c\xc3", b"\xbc"]), max_size=20))
def test_a_stop_string_never_comes_out(parts: list[bytes]) -> None:
    stops = ("aab", "bc")
    stream, text = TextStream(stops), ""
    for part in parts:
        text += stream.feed(part)
        if stream.stopped:
            break
    whole = b"".join(parts).decode("utf-8", "replace")
    ends = [at for stop in stops if (at := whole.find(stop)) >= 0]
    if stream.stopped:
        assert text + stream.flush() == whole[: min(ends)]
    else:
        assert not ends
        assert text + stream.flush() == whole


def test_what_may_become_a_stop_string_is_held_back() -> None:
    stream = TextStream(("STOP",))
    assert [stream.feed(piece) for piece in (b"a S", b"TO", b"x")] == ["a ", "", "STOx"]
