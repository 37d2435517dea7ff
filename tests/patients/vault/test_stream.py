"""The streaming encryption format: compatible with Tink in both directions, and safe against tampering."""

import gc
import io
import os

import pytest
import tink
from hypothesis import given, settings
from hypothesis import strategies as st
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from patients.vault.stream import (
    FIRST,
    HEADER,
    NEXT,
    SEGMENT,
    TAG,
    Encryptor,
    Reader,
    Tampered,
    ciphertext_size,
    plaintext_of,
    plaintext_size,
)

KEY = bytes(range(32))
AAD = b"object 7"
streaming_aead.register()

edges = [
    0,
    1,
    TAG,
    *(FIRST + step for step in (-1, 0, 1)),
    *(FIRST + NEXT + step for step in (-TAG, -1, 0, 1, TAG)),
    FIRST + 3 * NEXT,
    FIRST + 3 * NEXT + 1,
]
sizes = st.one_of(
    st.sampled_from(edges),
    st.builds(
        lambda segments, near: max(0, FIRST + segments * NEXT + near),
        st.integers(0, 3),
        st.integers(-20, 20),
    ),
    st.integers(0, 4 * SEGMENT),
)


def content(size: int) -> bytes:
    """Test data of this size in which no two positions look alike; quick to make."""
    return (b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1)))[:size]


def encrypted(plaintext: bytes, key: bytes = KEY, aad: bytes = AAD) -> bytes:
    encryptor = Encryptor(key, aad)
    return encryptor.update(plaintext) + encryptor.finish()


def read(ciphertext: bytes, key: bytes = KEY, aad: bytes = AAD) -> bytes:
    return Reader(io.BytesIO(ciphertext), key, aad).read()


def tink_primitive(key: bytes = KEY) -> streaming_aead.StreamingAead:
    """Tink's implementation for this key, with the parameters that the vault uses."""
    parameters = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=SEGMENT, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    value = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, params=parameters, key_value=key)
    keyset = tink_pb2.Keyset(primary_key_id=1)
    keyset.key.add(
        key_id=1,
        status=tink_pb2.ENABLED,
        output_prefix_type=tink_pb2.RAW,
        key_data=tink_pb2.KeyData(
            type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
            value=value.SerializeToString(),
        ),
    )
    handle = tink.proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


class KeptBuffer(io.BytesIO):
    """A buffer whose bytes can still be read after Tink has closed it."""

    def close(self) -> None:
        self.kept = self.getvalue()
        super().close()


def tink_encrypted(plaintext: bytes) -> bytes:
    destination = KeptBuffer()
    with tink_primitive().new_encrypting_stream(destination, AAD) as stream:
        stream.write(plaintext)
    return destination.kept


@settings(max_examples=40, deadline=None)
@given(size=sizes)
def test_tink_reads_what_the_vault_writes(size: int) -> None:
    plaintext = content(size)
    with tink_primitive().new_decrypting_stream(io.BytesIO(encrypted(plaintext)), AAD) as stream:
        assert stream.read() == plaintext


@settings(max_examples=40, deadline=None)
@given(size=sizes)
def test_the_vault_reads_what_tink_writes(size: int) -> None:
    plaintext = content(size)
    ciphertext = tink_encrypted(plaintext)
    assert len(ciphertext) == ciphertext_size(size)
    assert read(ciphertext) == plaintext


@settings(max_examples=40, deadline=None)
@given(size=sizes, pieces=st.lists(st.integers(1, 2 * SEGMENT), max_size=8))
def test_updates_of_any_size_produce_complete_segments(size: int, pieces: list[int]) -> None:
    plaintext = content(size)
    encryptor = Encryptor(KEY, AAD)
    ciphertext, start = b"", 0
    for piece in [*pieces, size]:
        out = encryptor.update(plaintext[start : start + piece])
        start = min(size, start + piece)
        ciphertext += out
        assert len(ciphertext) == encryptor.segments * SEGMENT
        if encryptor.segments and start:  # what may be the last segment is held back
            assert plaintext_of(encryptor.segments) < start
    ciphertext += encryptor.finish()
    assert ciphertext[:HEADER] == encryptor.header
    assert len(ciphertext) == ciphertext_size(size)
    assert read(ciphertext) == plaintext


@settings(max_examples=200, deadline=None)
@given(size=st.one_of(sizes, st.integers(0, 2**44)))
def test_plaintext_size_and_ciphertext_size_are_inverse(size: int) -> None:
    assert plaintext_size(ciphertext_size(size)) == size


def test_impossible_ciphertext_sizes_are_refused() -> None:
    possible = {ciphertext_size(size) for size in range(FIRST + 3 * TAG)}
    impossible = set(range(SEGMENT + 2 * TAG)) - possible
    # Too short for a header and a tag, or with a last segment too short for a tag.
    assert len(impossible) == (HEADER + TAG) + TAG
    for size in impossible:
        with pytest.raises(Tampered):
            plaintext_size(size)


@settings(max_examples=30, deadline=None)
@given(size=sizes, cut=st.integers(0, 4), rest=st.integers(0, 2 * SEGMENT))
def test_an_encryption_can_be_resumed_after_complete_segments(size: int, cut: int, rest: int) -> None:
    plaintext = content(size)
    first = Encryptor(KEY, AAD)
    ciphertext = first.update(plaintext[: plaintext_of(cut) + rest])
    segments = len(ciphertext) // SEGMENT
    header = ciphertext[:HEADER] if segments else first.header
    second = Encryptor.resume(KEY, AAD, header, segments)
    ciphertext += second.update(plaintext[plaintext_of(segments) :]) + second.finish()
    assert read(ciphertext) == plaintext
    with tink_primitive().new_decrypting_stream(io.BytesIO(ciphertext), AAD) as stream:
        assert stream.read() == plaintext


def test_resume_refuses_an_invalid_header() -> None:
    for header in (b"", bytes(HEADER), bytes([HEADER]) + bytes(HEADER)):
        with pytest.raises(Tampered):
            Encryptor.resume(KEY, AAD, header, 1)


def test_a_finished_encryptor_accepts_no_more_data() -> None:
    encryptor = Encryptor(KEY, AAD)
    encryptor.finish()
    with pytest.raises(ValueError, match="finished"):
        encryptor.update(b"more")
    with pytest.raises(ValueError, match="finished"):
        encryptor.finish()


@pytest.mark.parametrize("size", [0, 5, FIRST, FIRST + 1, FIRST + NEXT, FIRST + 2 * NEXT + 9])
def test_truncation_is_detected_at_and_around_every_boundary(size: int) -> None:
    ciphertext = encrypted(content(size))
    assert read(ciphertext) == content(size)
    boundaries = {0, 1, HEADER, HEADER + TAG, *range(0, len(ciphertext), SEGMENT), len(ciphertext)}
    cuts = {place + near for place in boundaries for near in (-TAG - 1, -TAG, -1, 0, 1, TAG, TAG + 1)}
    for cut in sorted(cut for cut in cuts if 0 <= cut < len(ciphertext)):
        with pytest.raises(Tampered):
            Reader(io.BytesIO(ciphertext[:cut]), KEY, AAD)


def test_a_reader_that_fails_to_open_closes_its_file() -> None:
    raw = io.BytesIO(b"too short")
    with pytest.raises(Tampered):
        Reader(raw, KEY, AAD)
    gc.collect()
    assert raw.closed


def test_appended_bytes_are_detected_when_opening() -> None:
    ciphertext = encrypted(content(FIRST + NEXT))
    for tail in (b"\0", bytes(TAG), bytes(TAG + 1), ciphertext[-SEGMENT:], bytes(SEGMENT)):
        with pytest.raises(Tampered):
            Reader(io.BytesIO(ciphertext + tail), KEY, AAD)


def test_moved_repeated_and_foreign_segments_fail() -> None:
    ciphertext = encrypted(content(FIRST + 3 * NEXT))
    other = encrypted(content(FIRST + 3 * NEXT))
    segments = [ciphertext[start : start + SEGMENT] for start in range(0, len(ciphertext), SEGMENT)]
    foreign = other[SEGMENT : 2 * SEGMENT]
    for order in (
        [segments[0], segments[2], segments[1], segments[3]],
        [segments[0], segments[1], segments[1], segments[3]],
        [segments[0], foreign, segments[2], segments[3]],
        [other[:SEGMENT], *segments[1:]],
        [segments[0], segments[1], segments[3], segments[2]],
    ):
        with pytest.raises(Tampered):
            read(b"".join(order))


def test_a_flipped_bit_in_any_byte_of_a_small_object_fails() -> None:
    ciphertext = encrypted(b"I wish you had stayed")
    for place in range(len(ciphertext)):
        changed = bytearray(ciphertext)
        changed[place] ^= 1
        with pytest.raises(Tampered):
            Reader(io.BytesIO(bytes(changed)), KEY, AAD)


def test_wrong_key_and_wrong_object_fail_at_opening() -> None:
    ciphertext = encrypted(content(3 * SEGMENT))
    with pytest.raises(Tampered):
        Reader(io.BytesIO(ciphertext), KEY[::-1], AAD)
    with pytest.raises(Tampered):
        Reader(io.BytesIO(ciphertext), KEY, b"object 8")
    with pytest.raises(ValueError, match="32 bytes"):
        Reader(io.BytesIO(ciphertext), KEY[:16], AAD)


def test_two_encryptions_share_no_header() -> None:
    assert encrypted(b"same")[:HEADER] != encrypted(b"same")[:HEADER]


class SegmentRecorder(io.BytesIO):
    """Remembers which segments were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.touched: set[int] = set()

    def read(self, size: int | None = -1) -> bytes:
        start = self.tell()
        data = super().read(size)
        self.touched |= set(range(start // SEGMENT, (start + len(data) - 1) // SEGMENT + 1))
        return data


def test_a_range_reads_only_the_segments_it_needs() -> None:
    raw = SegmentRecorder(encrypted(content(FIRST + 9 * NEXT)))
    reader = Reader(raw, KEY, AAD)
    assert raw.touched == {0, 9}  # the segment with the header, and the last one
    raw.touched.clear()
    start = plaintext_of(4) + 100
    reader.seek(start)
    assert reader.read(NEXT) == content(FIRST + 9 * NEXT)[start : start + NEXT]
    assert raw.touched == {4, 5}


@settings(max_examples=60, deadline=None)
@given(size=sizes, data=st.data())
def test_a_reader_seeks_and_reads_like_a_plain_file(size: int, data: st.DataObject) -> None:
    plaintext = content(size)
    reader, clear = Reader(io.BytesIO(encrypted(plaintext)), KEY, AAD), io.BytesIO(plaintext)
    assert reader.size == size
    for _ in range(6):
        offset = data.draw(st.integers(0, size + 10))
        count = data.draw(st.one_of(st.integers(0, 40), st.integers(0, 2 * SEGMENT)))
        assert reader.seek(offset) == clear.seek(offset)
        assert reader.read(count) == clear.read(count)
        assert reader.tell() == clear.tell()
    assert reader.seek(-min(size, 7), os.SEEK_END) == clear.seek(-min(size, 7), os.SEEK_END)
    assert reader.read() == clear.read()
    with pytest.raises(ValueError, match="negative"):
        reader.seek(-1)


def test_closing_overwrites_the_buffer_and_closes_the_file() -> None:
    raw = io.BytesIO(encrypted(b"Montauk"))
    reader = Reader(raw, KEY, AAD)
    buffer = reader._plain
    assert b"Montauk" in buffer
    reader.close()
    assert b"Montauk" not in buffer
    assert raw.closed
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


def test_truncation_of_an_open_file_is_detected() -> None:
    raw = io.BytesIO(encrypted(content(FIRST + 3 * NEXT)))
    reader = Reader(raw, KEY, AAD)
    raw.truncate(SEGMENT + 5)
    reader.seek(plaintext_of(1))
    with pytest.raises(Tampered):
        reader.read(10)


def test_an_encryptor_does_not_show_its_key() -> None:
    encryptor = Encryptor(KEY, AAD)
    assert KEY not in [value for value in vars(encryptor).values() if isinstance(value, bytes | bytearray)]
