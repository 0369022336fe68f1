"""Sentences that mean nothing but hold many words: for learning how words are said, in all their forms.

Semantically unpredictable sentences (Benoit, Grice and Hazan 1996) were made to test synthesis without help from context; here
they teach. Every slot of a form is filled with words of one kind, commonest first, those already heard often left out.
"""

import random
from collections import Counter
from pathlib import Path

from .wordnet import COARSE, Synset, sentence, words

KINDS = {"noun": "n", "verb": "v", "adj": "j", "adv": "r"}
# n noun, p plural; v verb, s third person, d past, g -ing; j adjective; r adverb
FORMS = (
    "The {j} {n} {d} the {p}.", "{p} {v} the {j} {n}.", "Why does the {n} {v} the {j} {p}?", "The {n} was {g} {r}.", "{v} the {n} and the {j} {p}.",
    "She {s} the {j} {n} with her {p}.", "There were {p} and {p} under the {j} {n}.", "He {d} {r} by the {n}.", "I like {j} {p}, but not the {n}.",
    "The {p} are {j} and the {n} is {j}.", "Where did you {v} my {j} {n}?", "They are {g} the {p} of the {n}.", "When it {s}, the {n} {s} {r}.",
    "My {n} has {d} your {j} {p}.", "We {d} and {d} until the {n} {d}.", "Some {p} {v} {r}, and some {p} {v} {r}.", "No {n} is as {j} as {p}.",
    "{g} {p} is {j}, but {g} the {n} is {r} {j}.", "Put the {n}, the {n} and the {p} on the {j} {n}.", "This {j} {n} never {s} our {p}.",
)  # fmt: skip


def irregular(folder: Path, part: str) -> dict[str, list[str]]:
    """base -> the forms that rules do not give, from WordNet's list of exceptions."""
    forms: dict[str, list[str]] = {}
    path = folder / f"{part}.exc"
    for line in path.read_text(encoding="utf8").splitlines() if path.exists() else ():
        form, *bases = line.split()
        for base in bases:
            forms.setdefault(base, []).append(form)
    return forms


def with_s(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def with_ed(word: str) -> str:
    if word.endswith("e"):
        return word + "d"
    return word[:-1] + "ied" if word.endswith("y") and word[-2] not in "aeiou" else word + "ed"


def with_ing(word: str) -> str:
    return word[:-1] + "ing" if word.endswith("e") and not word.endswith(("ee", "oe", "ye")) else word + "ing"


def vocabulary(found: list[Synset], frequency: Counter, folder: Path, least: int = 4) -> dict[str, list[tuple[str, int]]]:
    """slot -> (word, how common its lemma is). Common are words that running text or many entries of the database use."""
    told: Counter = Counter(w for s in found for w in set(words(s.definition)))
    said: Counter = Counter(w for s in found for q in s.quotes for w in words(q))
    slots: dict[str, dict[str, int]] = {slot: {} for slot in "npvsdgjr"}
    plurals, verbs = irregular(folder, "noun"), irregular(folder, "verb")
    for synset in found:
        for lemma in synset.lemmas:
            common = min(told[lemma], 5) + 2 * said[lemma] + frequency.get(lemma, 0)  # definitions favour species and elements
            if common < least or len(lemma) < 3 or not (lemma.isascii() and lemma.isalpha() and lemma.islower()) or COARSE.search(lemma):
                continue
            slots[KINDS[synset.part]].setdefault(lemma, common)
            if synset.part == "noun":
                slots["p"].setdefault(plurals.get(lemma, [with_s(lemma)])[0], common)
            if synset.part == "verb":
                odd = verbs.get(lemma, [])
                slots["s"].setdefault(next((form for form in odd if form.endswith("s")), with_s(lemma)), common)
                slots["g"].setdefault(next((form for form in odd if form.endswith("ing")), with_ing(lemma)), common)
                for form in [form for form in odd if not form.endswith(("ing", "s"))] or [with_ed(lemma)]:
                    slots["d"].setdefault(form, common)
    return {slot: list(table.items()) for slot, table in slots.items()}


def unpredictable(found: list[Synset], known: list[str], frequency: Counter, folder: Path, count: int, seed: int, wanted: int = 6, least: int = 4) -> list[str]:
    """`count` sentences; a prefix of them holds the commonest of the words that `known` says fewer than `wanted` times."""
    rng = random.Random(f"unpredictable {seed}")
    heard = Counter(w for text in known for w in words(text))
    slots = vocabulary(found, frequency, folder, least)
    forms = [form for form in FORMS if all(slots[slot] for slot in form.replace("}", "{").split("{")[1::2])]
    queues: dict[str, list[str]] = {slot: [] for slot in slots}

    def draw(slot: str) -> str:
        if not queues[slot]:
            rare = [(word, common) for word, common in slots[slot] if heard[word] < wanted] or slots[slot]
            # the next to come is at the end: commonest first, with so much chance that neighbours differ each time round
            queues[slot] = [word for word, common in sorted(rare, key=lambda row: row[1] ** 0.5 * rng.uniform(0.5, 1))]
        word = queues[slot].pop()
        heard[word] += 1
        return word

    made = []
    for number in range(count if forms else 0):
        form = forms[number % len(forms)]
        parts = [part if i % 2 == 0 else draw(part) for i, part in enumerate(form.replace("}", "{").split("{"))]
        made.append(sentence("".join(parts)))
    return made
