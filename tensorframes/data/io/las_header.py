"""The records before and after the points of a LAS file, checked before memory is allocated for the points."""

import struct
from typing import TYPE_CHECKING, BinaryIO

from tensorframes.data.io.surplus import note_on_bytes
from tensorframes.words import counted

if TYPE_CHECKING:
    from laspy import LasData, LasHeader

HEADER, HEADER_4, RECORD, EXTENDED_RECORD = 227, 375, 54, 60
"""Bytes of the smallest header, of that of version 1.4, and of the header of a record."""

DATE, COUNTS, COUNTS_4 = 90, 107, 247
"""Bytes where the day and year of creation stand, and the numbers of points, of all and by return, in versions below
1.4 and in all of them from there on."""

LAST_FORMAT = 10
"""The last point format."""

RETURNS = 5
"""Returns that versions below 1.4 count."""

PROJECTION = "LASF_Projection"
"""Who defines the records of the coordinate system."""

OF_POINTS = (("LASF_Spec", 4), ("laszip encoded", 22204))
"""Records that describe how points are stored: extra dimensions, and their compression."""


def check_records(content: bytes) -> None:
    """Checks that the file is long enough for the number of records in its header, before laspy reads them.

    Source: ASPRS, *LAS Specification 1.4 R15*, public header block.
    """
    if content[:4] != b"LASF" or len(content) < HEADER:
        raise ValueError("a file without a LAS header")
    size, points, records = struct.unpack_from("<HII", content, 94)
    if not HEADER <= size <= points <= len(content) or size + records * RECORD > points:
        raise ValueError(f"expected {records} records before the points at byte {points}, got {len(content)} bytes")
    if content[104] & 0x3F > LAST_FORMAT:
        raise ValueError(f"expected a point format from 0 to {LAST_FORMAT}, got {content[104] & 0x3F}")
    if content[25] >= 4 and size >= HEADER_4:
        place, extended = struct.unpack_from("<QI", content, 235)
        for number in range(extended):
            if place + EXTENDED_RECORD > len(content):
                raise ValueError(f"expected {extended} records behind the points, got {number}")
            place += EXTENDED_RECORD + struct.unpack_from("<Q", content, place + 20)[0]
        if extended and place > len(content):
            raise ValueError(f"expected records up to byte {place}, got {len(content)} bytes")


def check_size(header: "LasHeader", size: int) -> None:
    """Checks the number of points of a possibly corrupt header, before memory is allocated."""
    room = max(size - header.offset_to_point_data, 0)
    needed = header.point_count * (1 if header.are_points_compressed else header.point_format.size)
    if needed > room * (500 if header.are_points_compressed else 1):
        raise ValueError(f"expected {counted(header.point_count, 'point')}, got {room} bytes of points")


def surplus(header: "LasHeader", content: bytes) -> tuple[str, ...]:
    """The note on bytes behind the points, where neither records nor waveforms follow them.

    Raises:
        ValueError: the file was transferred in text mode.
    """
    followed = header.number_of_evlrs or header.global_encoding.waveform_data_packets_internal
    if header.are_points_compressed or followed:
        return ()
    return note_on_bytes(content, header.offset_to_point_data + header.point_count * header.point_format.size)


def check_chunks(header: "LasHeader", content: bytes) -> None:
    """Checks the number of chunks of compressed points, for whose table lazrs would allocate any memory, and abort."""
    place = header.offset_to_point_data
    if not header.are_points_compressed or header.point_count == 0 or place + 8 > len(content):
        return
    (table,) = struct.unpack_from("<q", content, place)
    if table == -1:  # the place was not known when the points were written, and stands at the end
        (table,) = struct.unpack_from("<q", content, len(content) - 8)
    chunks = struct.unpack_from("<I", content, table + 4)[0] if 0 < table <= len(content) - 8 else 0
    if chunks > len(content):
        raise ValueError(f"expected a table of chunks, got {chunks} of them in {len(content)} bytes")


def records_of(data: "LasData") -> tuple[str, ...]:
    """What a file says besides its points and their dimensions."""
    records = [*data.header.vlrs, *(data.evlrs or ())]
    described = [(record.user_id, record.record_id) for record in records]
    projection = any(user == PROJECTION for user, _ in described)
    others = any(each[0] != PROJECTION and each not in OF_POINTS for each in described)
    return ("coordinate system",) * projection + ("other records",) * others


def date_of(content: bytes) -> bytes:
    """The day and year of creation of a LAS file; zeros where it tells none."""
    return content[DATE : DATE + 4]


def complete(stream: BinaryIO, date: bytes | None) -> None:
    """Writes into the header of a LAS file what laspy changes: the date of creation, today instead of none, and the
    numbers of points as versions below 1.4 have them, which 1.4 keeps for point formats below 6.

    Source: ASPRS, *LAS Specification 1.4 R15*, legacy number of point records.
    """
    if date is not None:
        stream.seek(DATE)
        stream.write(date)
    stream.seek(0)
    header = stream.read(HEADER_4)
    if header[25] < 4 or header[104] & 0x3F > 5:  # the two highest bits say that the points are compressed
        return
    counts = struct.unpack_from(f"<{1 + RETURNS}Q", header, COUNTS_4)
    if counts[0] < 1 << 32:
        stream.seek(COUNTS)
        stream.write(struct.pack(f"<{1 + RETURNS}I", *counts))
