"""Sentences from WordNet 3.0's data files (Debian `wordnet-base`): the quoted examples, and definitions told as sentences."""

import codecs
import hashlib
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

PLACES = (Path("/usr/share/wordnet"), Path("/usr/local/share/wordnet"))
PARTS = ("noun", "verb", "adj", "adv")
PLAIN = re.compile(r"[A-Za-z',;:?!. -]+")
WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")

# Stems that keep a sentence out of the corpus, in rot13 so that this file can be read aloud.
COARSE = re.compile(
    codecs.decode(
        r"\o(shpx|fuvg|phag|avttre|avttn|snttbg|ovgpu|juber|fyhg|cevpx|pbpx(?!cvg|ebnpu|gnvy|arl)|gjng|jnax|encr|enc(?:vfg|vat)|chffl|obare|qvyqb|"
        r"znfgheong|betnfz|encvfg|crqbcuvy|pbcebcuvy|cbea|abbxvr|gvgf|gvggvr|ohttre|gheq|cvff|snegrq|snegf|snegvat|neffubyr|nffubyr|nefr|onfgneq|"
        r"unexrl|xvxr|jbc|fcvp\o|puvax\o|tbbx|qntb|wvtnobb|pbba\o|qnexvr|snvel\of|qlxr|ubzb\o|dhrre|fbqbzl|vaprfg|shpxvat|fperj(?:rq)? (?:ure|uvz)|"
        r"fpebghz|cravf|intvan|phaavyvath|sryyngvb|fgevccre|cebfgvghg|unefybg|uneybg|oebgury|ynl (?:ure|uvz)|znxr ybir|unir frk|frk jvgu|erg?neq)",
        "rot13",
    ),
    re.IGNORECASE,
)


def find(folder: Path | None = None) -> Path:
    """The folder with data.noun and its like. Raises FileNotFoundError with the way out."""
    for place in [folder] if folder else PLACES:
        if (place / "data.noun").exists():
            return place
    where = folder or " or ".join(map(str, PLACES))
    raise FileNotFoundError(f"no WordNet data in {where}: install Debian's wordnet-base (or unpack it) and say --wordnet FOLDER")


def files_hash(folder: Path) -> str:
    """sha256 over the data files, for the record of what a corpus was made from."""
    digest = hashlib.sha256()
    for part in PARTS:
        digest.update((folder / f"data.{part}").read_bytes())
    return digest.hexdigest()


@dataclass
class Synset:
    part: str
    lemmas: list[str]
    definition: str  # up to the first quote
    quotes: list[str]


def synsets(folder: Path) -> list[Synset]:
    """Every synset of the database in file order."""
    found = []
    for part in PARTS:
        for line in (folder / f"data.{part}").read_text(encoding="utf8").splitlines():
            if line.startswith("  "):
                continue
            head, _, gloss = line.partition(" | ")
            fields = head.split(" ")
            lemmas = [fields[4 + 2 * i].split("(")[0].replace("_", " ") for i in range(int(fields[3], 16))]
            quotes = re.findall(r'"([^"]*)"', gloss)
            definition = gloss.split('"')[0].strip().rstrip("; ")
            found.append(Synset(part, lemmas, definition, quotes))
    return found


def frequencies(folder: Path) -> Counter:
    """How often each lemma was met in the tagged texts that come with the database."""
    counts: Counter = Counter()
    for line in (folder / "cntlist.rev").read_text(encoding="utf8").splitlines():
        sense, _, count = line.split(" ")
        counts[sense.split("%")[0].replace("_", " ")] += int(count)
    return counts


def key(text: str) -> str:
    """What makes two sentences the same: the letters alone."""
    return re.sub(r"[^a-z]", "", text.lower())


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def sentence(text: str) -> str:
    """Capital at the start, a mark at the end, single blanks."""
    text = re.sub(r"\s+", " ", text).strip(" ,;:-")
    text = text.replace(" ,", ",").replace("--", ", ")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else text + "."


def usable(text: str, shortest: int, longest: int) -> bool:
    letters_only = PLAIN.fullmatch(text) and ".." not in text and not re.search(r"\b[A-Z]{3,}\b|\b[A-Z]\.|(?:^|\s)['-]", text)
    return bool(letters_only) and shortest <= len(text.split()) <= longest and not COARSE.search(text)


def examples(found: list[Synset], shortest: int, longest: int) -> list[str]:
    """The quoted example sentences that can be spoken as they are written, each once."""
    seen: dict[str, str] = {}
    for synset in found:
        for quote in synset.quotes:
            if usable(quote, shortest, longest):
                seen.setdefault(key(quote), sentence(quote))
    return list(seen.values())


NOUN = ("{A} {x} is {g}.", "{G} is called {a} {x}.", "{G}.", "They call it {a} {x}: {g}.", "By {a} {x} we mean {g}.", "Do you know what {a} {x} is? It is {g}.")
VERB = ("To {x} is to {g}.", "They {x}, which means they {g}.", "You {x} when you {g}.", "We will {g}.", "She wanted to {g}, so she decided to {x}.", "{G}, or {x}.")
OTHER = ("{X} means {g}.", "It was {x}, that is, {g}.", "{G}: that is {x}.", "If it is {x}, it is {g}.", "{G}.")


def _article(word: str) -> str:
    return "an" if word[0].lower() in "aeiou" else "a"


def _told(synset: Synset, rng: random.Random) -> str | None:
    """A definition as a sentence, or None if it does not make one."""
    gloss = re.sub(r"\([^)]*\)", "", synset.definition).split(";")[0]
    gloss = re.sub(r"\s+", " ", gloss).strip(" ,:")
    lemma = rng.choice(synset.lemmas)
    if not gloss or ":" in gloss or not re.fullmatch(r"[a-z][a-z' -]*", lemma) or gloss.split()[0] in ("of", "used", "someone", "being"):
        return None
    if synset.part == "noun":
        if gloss.split()[0] not in ("a", "an", "the", "any", "one"):
            return sentence(gloss)
        forms = NOUN
    elif synset.part == "verb":
        if gloss.split()[0].endswith(("ing", "ed")) or gloss.split()[0] in ("be", "to", "have"):
            return sentence(gloss)
        forms = VERB
    else:
        forms = OTHER
    form = rng.choice(forms)
    return form.format(
        x=lemma, X=lemma[:1].upper() + lemma[1:], g=gloss, G=gloss[:1].upper() + gloss[1:], a=_article(lemma), A=_article(lemma).capitalize()
    )


def for_vocabulary(found: list[Synset], known: list[str], frequency: Counter, seed: int, wanted: int = 6, batch: int = 500) -> list[str]:
    """Definitions told as sentences, those first whose ordinary words have been heard least.

    An ordinary word is one that was met in running text or is used by four definitions and examples. Its worth is
    1 / (1 + times heard)^2, nothing once it was heard `wanted` times; a sentence's worth is the mean over its words, and a
    quarter of that if two of them are not ordinary (Latin names and the like).
    """
    rng = random.Random(seed)
    heard: Counter = Counter(w for text in known for w in words(text))
    spread: Counter = Counter(w for s in found for w in set(words(s.definition) + [w for q in s.quotes for w in words(q)]))
    ordinary = {w for w, count in spread.items() if count >= 4 or frequency.get(w, 0) > 0}
    seen = {key(text) for text in known}
    pool = []
    for synset in found:
        told = _told(synset, rng)
        if told and usable(told, 4, 20) and key(told) not in seen:
            seen.add(key(told))
            pool.append((told, words(told)))

    def worth(tokens: list[str]) -> float:
        values = [1 / (1 + heard[w]) ** 2 for w in set(tokens) if w in ordinary and heard[w] < wanted]
        odd = sum(w not in ordinary for w in tokens)
        return sum(values) / len(tokens) * (0.25 if odd > 1 else 1.0)

    chosen: list[str] = []
    ranked = sorted(((worth(tokens), told, tokens) for told, tokens in pool), key=lambda row: (-row[0], row[1]))
    while ranked:
        head, ranked = ranked[:batch], ranked[batch:]
        for _, told, tokens in head:
            chosen.append(told)
            heard.update(tokens)
        if len(chosen) % (8 * batch) == 0:
            ranked = sorted(((worth(tokens), told, tokens) for _, told, tokens in ranked), key=lambda row: (-row[0], row[1]))
    return chosen
