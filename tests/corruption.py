"""Seeded damage to a file, as disks, editors and killed programs do it."""

import random


def corrupted(whole: bytes, seed: int) -> bytes:
    """The same bytes but for a few changes."""
    draw = random.Random(seed)
    damaged = bytearray(whole)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(damaged) + 1)
        match draw.randrange(8):
            case 0:
                del damaged[at:]
            case 1:
                del damaged[at : at + draw.randint(1, 40)]
            case 2:
                damaged[at:at] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 20)))
            case 3 if at < len(damaged):
                damaged[at] ^= 1 << draw.randrange(8)
            case 4:
                damaged[at : at + 1] = draw.choice([b"\n", b'"', b"[", b"{", b"}", b",", b"\\", b"\0", b"-", b"e99"])
            case 5:
                damaged[at:at] = draw.choice(
                    [b"[" * 5000, b"9" * 5000, b"NaN", b"null", b"Infinity", b'"problem"', b"\n[]\n", b"\n7\n"]
                )
            case 6:
                lines = bytes(damaged).split(b"\n")
                draw.shuffle(lines)
                damaged = bytearray(b"\n".join([lines[0], *lines[1:]]))
            case 7:
                damaged[at : at + 30] = bytes(30)
    return bytes(damaged)


def whole_lines(whole: bytes, damaged: bytes) -> list[bytes]:
    """The lines of a file that its damage has left as they were."""
    left = damaged.split(b"\n")
    return [line for line in whole.split(b"\n") if line and line in left]
