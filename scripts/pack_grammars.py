"""Packs the grammars of the text normaliser wetext for `weights/wetext`, from its wheel (pip download --no-deps wetext==0.1.8).

    python scripts/pack_grammars.py wetext-0.1.8-py3-none-any.whl weights/wetext

Each .fst is rearranged so that gzip makes a third of what it makes of the file as it is: the header, then the byte planes (all lowest
bytes, all second bytes, ...) of six columns: arc counts and final weights of the states; input labels, output labels, weights and next
states of the arcs, the last as zigzag differences. src/text/wetext/packed.ts turns it back, byte for byte.
"""

import gzip
import hashlib
import struct
import sys
import zipfile
from pathlib import Path

HEADER = 66
GRAMMARS = [f"{language}/tn/{part}" for language in ("zh", "en") for part in ("tagger", "verbalizer")]


def planes(column: list[int]) -> bytes:
    words = struct.pack(f"<{len(column)}I", *column)
    return b"".join(words[byte::4] for byte in range(4))


def pack(fst: bytes) -> bytes:
    """Header, arc counts [S], final weights [S], then input, output, weight and next [A]; every number a u32 in four planes."""
    (states,) = struct.unpack_from("<q", fst, 50)
    at = HEADER
    counts, finals, arcs = [], [], []
    for _ in range(states):
        final, count = struct.unpack_from("<Iq", fst, at)
        at += 12
        counts.append(count)
        finals.append(final)
        arcs += struct.iter_unpack("<IIIi", fst[at : at + 16 * count])
        at += 16 * count
    assert at == len(fst), "bytes follow the last state"
    inputs, outputs, weights, nexts = (list(column) for column in zip(*arcs))
    steps = [after - before for before, after in zip([0, *nexts], nexts)]
    zigzag = [2 * step if step >= 0 else -2 * step - 1 for step in steps]
    return fst[:HEADER] + b"".join(planes(column) for column in (counts, finals, inputs, outputs, weights, zigzag))


def main(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for grammar in GRAMMARS:
            fst = archive.read(f"wetext/fsts/{grammar}.fst")
            packed = gzip.compress(pack(fst), 9, mtime=0)
            name = grammar.replace("/tn/", "-") + ".packed"
            (folder / name).write_bytes(packed)
            print(f"| `{name}` | {len(packed)} | `{hashlib.sha256(packed).hexdigest()}` |")
            print(f"| `{grammar}.fst` | {len(fst)} | `{hashlib.sha256(fst).hexdigest()}` |")
        license = next(name for name in archive.namelist() if name.endswith("/LICENSE"))
        (folder / "LICENSE").write_bytes(archive.read(license))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
