"""Files that strangers make so that reading them takes long, needs much memory, or fails.

Each is small, and each once took a server more than 5 s or 1 GiB, or ended in a traceback.
"""

__all__ = ["NASTY"]

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

SIDE = 4_000


def npy(shape: str) -> bytes:
    """An array whose header says of its shape what it likes."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(64)


def zipped(**files: bytes) -> bytes:
    """Files in a zip, an underscore in their names for a dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def ppm_of_another_depth() -> bytes:
    """16 megapixels whose brightest value is 100, which Pillow scales one by one."""
    return b"P6 %d %d 100\n" % (SIDE, SIDE) + bytes(3 * SIDE * SIDE)


def plain_ppm() -> bytes:
    """5 megapixels of numbers written out as text."""
    return b"P3 %d 1300 255\n" % SIDE + b"7 " * (3 * SIDE * 1300)


def plain_pgm() -> bytes:
    """16 megapixels of numbers written out as text."""
    return b"P2 %d %d 255\n" % (SIDE, SIDE) + b"7 " * (SIDE * SIDE)


def bmp_of_runs() -> bytes:
    """16 megapixels of runs of one pixel each."""
    palette = bytes(4 * 256)
    runs = (b"\1\7" * SIDE + b"\0\0") * SIDE + b"\0\1"
    offset = 14 + 40 + len(palette)
    head = b"BM" + struct.pack("<IHHI", offset + len(runs), 0, 0, offset)
    info = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return head + info + palette + runs


def jpeg_of_scans() -> bytes:
    """A progressive JPEG whose last scan is there 2,000 times."""
    buffer = io.BytesIO()
    Image.new("L", (SIDE, SIDE), 90).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last = content.rindex(b"\xff\xda")
    # Its Huffman table stands before it.
    scan = content[last:-2]
    return content[:-2] + scan * 2_000 + content[-2:]


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width: int, height: int, depth: int, colour: int, row: int, more: bytes = b"") -> bytes:
    """A black PNG; a row takes so many bytes."""
    deflate = zlib.compressobj(1)
    pixels = b"".join(deflate.compress(bytes(1 + row)) for _ in range(height)) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + more
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def png_of_texts() -> bytes:
    """A PNG with a million chunks of text before its pixels."""
    return png(8, 8, 8, 0, 8, chunk(b"tEXt", b"a\0b") * 1_000_000)


def thirty_deep_pngs() -> bytes:
    """16 megapixels of four 16-bit channels, thirty times."""
    deep = png(SIDE, SIDE, 16, 6, 8 * SIDE)
    return zipped(**{f"{place}_png": deep for place in range(30)})


def directory(count: int, name: Callable[[int], bytes], body: bytes) -> bytes:
    """A zip whose directory lists so many files, all of them the same bytes."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(body) + deflate.flush()
    sizes = struct.pack("<III", zlib.crc32(body), len(packed), len(body))
    first = name(0)
    local = b"PK\3\4" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes
    local += struct.pack("<HH", len(first), 0) + first + packed
    fixed = b"PK\1\2" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sizes
    entries = b"".join(
        fixed + struct.pack("<HHHHHII", len(name(n)), 0, 0, 0, 0, 0, 0) + name(n)
        for n in range(count)
    )
    counted = min(count, 0xFFFF)
    end = struct.pack("<HHHHIIH", 0, 0, counted, counted, len(entries), len(local), 0)
    return local + entries + b"PK\5\6" + end


def many_entries() -> bytes:
    """A zip that lists 600,000 files."""
    return directory(600_000, lambda n: b"%06d.png" % n, b"no image")


def many_entries_within_the_limit() -> bytes:
    """A zip that lists as many files as it may, all of them broken."""
    return directory(200_000, lambda n: b"%06d.png" % n, b"no image")


def members_on_one_body() -> bytes:
    """A .npz whose 150,000 members are the same bytes."""
    body = npy("(4, 4, 4)") + bytes(2**20)
    return directory(150_000, lambda n: b"a.npy", body)


def large_npz(side: int = 65_000) -> bytes:
    """A .npz of a few megabytes that unpacks to 3.9 GiB."""
    header = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": (side, 252, 256)}
    np.lib.format.write_array_header_1_0(header, fields)
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("faces.npy", "w", force_zip64=True) as file,
    ):
        file.write(header.getvalue())
        for _ in range(side // 500):
            file.write(bytes(500 * 252 * 256))
    return buffer.getvalue()


def long_names() -> bytes:
    """A zip of 485 files whose names are 65,000 digits each."""
    return zipped(**{f"{place:04}{'12' * 32_500}_png": b"no image" for place in range(485)})


# By what they are, the name they come under and how they are made.
NASTY: dict[str, tuple[str, Callable[[], bytes]]] = {
    "npy, sides beyond NumPy": ("a.npy", lambda: npy(f"({2**63}, 2, 2)")),
    "npy, sides beyond any number": ("a.npy", lambda: npy(f"({10**40}, 2, 0)")),
    "npy, sides that are booleans": ("a.npy", lambda: npy("(True, 4, 4)")),
    "ppm of another depth": ("a.zip", lambda: zipped(a_ppm=ppm_of_another_depth())),
    "plain ppm": ("a.zip", lambda: zipped(a_ppm=plain_ppm())),
    "plain pgm": ("a.zip", lambda: zipped(a_pgm=plain_pgm())),
    "bmp of runs": ("a.zip", lambda: zipped(a_bmp=bmp_of_runs())),
    "jpeg of 2,000 scans": ("a.jpg", jpeg_of_scans),
    "png of a million texts": ("a.zip", lambda: zipped(a_png=png_of_texts())),
    "thirty deep pngs": ("a.zip", thirty_deep_pngs),
    "zip of 600,000 entries": ("a.zip", many_entries),
    "zip of 200,000 broken images": ("a.zip", many_entries_within_the_limit),
    "npz, members on one body": ("a.npz", members_on_one_body),
    "npz that unpacks to 3.9 GiB": ("a.npz", large_npz),
    "zip of long names": ("a.zip", long_names),
}
