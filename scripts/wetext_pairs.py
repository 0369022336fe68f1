"""Has the official normaliser read the texts of test/text/wetext/pairs.json again (pip install wetext==0.1.8).

    python scripts/wetext_pairs.py test/text/wetext/pairs.json

The file is a list of [text, what is spoken], null where the original raises.
"""

import json
import sys
from pathlib import Path

from wetext import Normalizer

# As the official front end makes its two; which of them reads a text never matters.
normalizer = Normalizer(remove_erhua=False)


def spoken(text: str) -> str | None:
    try:
        return normalizer.normalize(text)
    except AssertionError:
        return None


if __name__ == "__main__":
    path = Path(sys.argv[1])
    pairs = [[text, spoken(text)] for text, _ in json.loads(path.read_text())]
    path.write_text("[\n" + ",\n".join(json.dumps(pair, ensure_ascii=False) for pair in pairs) + "\n]\n")
