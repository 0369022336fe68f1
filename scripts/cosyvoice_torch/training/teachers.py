"""
Who speaks a corpus, by name:

| name | who |
| --- | --- |
| hibari | the voice's own teacher |
| slt, rms, awb, kal16 | voices of Festival and flite |
| synthetic | sines and noise, for tests |
| hibari-55-85 | hibari with 55 % of its pitch and 85 % of its frequencies: another speaker who keeps hibari's time |

A corpus of several says their shares: "slt:3 rms:1 hibari-55-85:1".
"""

import re
from functools import lru_cache
from typing import Any

RESCALED = re.compile(r"(hibari|synthetic)-(\d{2,3})-(\d{2,3})")


@lru_cache(maxsize=64)
def teacher(name: str) -> Any:
    """@raises ValueError for a name that is none of the above, RuntimeError when its program is not installed"""
    from .programs import FESTIVAL, FLITE, Festival, Flite

    rescaled = RESCALED.fullmatch(name)
    base, scales = (rescaled[1], (int(rescaled[2]) / 100, int(rescaled[3]) / 100)) if rescaled else (name, (1.0, 1.0))
    if base == "hibari":
        from .hibari import Teacher
    elif base == "synthetic":
        from .synthetic_teacher import Teacher
    elif name in FESTIVAL:
        return Festival(name)
    elif name in FLITE:
        return Flite(name)
    else:
        known = ", ".join(("hibari", "synthetic", *FESTIVAL, *FLITE))
        raise ValueError(f"teacher {name}: must be one of {known}, or hibari-P-F with percents of pitch and frequency")
    return Teacher(*scales)


def shares(names: str) -> list[tuple[str, float]]:
    """ "slt:3 rms" -> [("slt", 0.75), ("rms", 1.0)]: names with the upper ends of their shares of 0 .. 1."""
    parts = [(name, float(weight or 1)) for name, _, weight in (word.partition(":") for word in names.split())]
    if not parts or min(weight for _, weight in parts) <= 0:
        raise ValueError(f"teacher {names!r}: names no one, or a share that is not above 0")
    total, sum_so_far, ends = sum(weight for _, weight in parts), 0.0, []
    for name, weight in parts:
        sum_so_far += weight
        ends.append((name, sum_so_far / total))
    return ends


def dealt(names: str, identity: str) -> str:
    """Who speaks an utterance: a function of its id (hex digits) alone."""
    place = int(identity[-8:], 16) / 16**8
    ends = shares(names)
    return next((name for name, end in ends if place < end), ends[-1][0])
