"""Utterances that WordNet's examples lack: one and two words, and numbers, dates and names written out."""

import random

from .wordnet import COARSE, PLAIN, Synset, sentence

GREETINGS = """Yes|No|Hello|Hi|Hey|Goodbye|Bye|Good morning|Good afternoon|Good evening|Good night|Thank you|Thanks|Please|Sorry|Excuse me|Welcome|
Of course|Not yet|Not now|Right now|Maybe|Perhaps|Sure|Okay|All right|Very good|Well done|Good luck|Well|Really?|Why?|Why not?|Who?|What?|When?|Where?|How?|
Which one?|How much?|How many?|Who's there?|What's that?|Come in|Come here|Go on|Go away|Go ahead|Sit down|Stand up|Wait|Wait here|Stop|Stop it|Look|Look out|
Listen|Help|Hurry up|Slow down|Be careful|Be quiet|Try again|Never mind|No problem|No way|Oh no|Oh well|I see|I know|I agree|I understand|I'm here|I'm ready|
I'm sorry|It's me|It works|It's true|That's right|That's all|That's enough|Here it is|There you are|Let's go|Let's see|See you|Take care|Have fun|Cheers|
Congratulations|Happy birthday|Bless you|Absolutely|Exactly|Certainly|Definitely|Probably|Naturally|Obviously|Wonderful|Excellent|Perfect|Great|Fine|Nice|Good|
Better|Best|Bad|True|False|Correct|Wrong|Done|Ready|Almost|Always|Never|Sometimes|Often|Today|Tomorrow|Yesterday|Tonight|Now|Later|Soon|Again|Enough|Nothing|
Something|Everything|Everyone|Nobody|Somebody|Anyone?|Left|Right|Up|Down|Open|Closed|On|Off|Start|Begin|Continue|Next|Previous|Cancel|Repeat|Play|Pause|
Yes, please|No, thanks|Yes, sir|Not really|Not at all|At last|So what?|Me too|Us too|Guess what|My pleasure|Of course not|Not bad|Too late|Too bad|Quite so"""

FIRST = """James Mary John Patricia Robert Jennifer Michael Linda William Elizabeth David Barbara Richard Susan Joseph Jessica Thomas Sarah Charles Karen
Christopher Nancy Daniel Lisa Matthew Margaret Anthony Betty Mark Sandra Donald Ashley Steven Dorothy Paul Kimberly Andrew Emily Joshua Donna Kenneth Michelle
Kevin Carol Brian Amanda George Melissa Edward Deborah Ronald Stephanie Timothy Rebecca Jason Laura Jeffrey Helen Ryan Sharon Jacob Cynthia Gary Kathleen
Nicholas Amy Eric Shirley Jonathan Angela Stephen Anna Larry Ruth Justin Brenda Scott Pamela Brandon Nicole Benjamin Katherine Samuel Samantha Frank Christine
Gregory Catherine Raymond Virginia Alexander Rachel Patrick Janet Jack Emma Dennis Maria Henry Diane Walter Julie Peter Joyce Arthur Victoria Albert Olivia
Oliver Grace Lucy Alice Rose Martha Hannah Sophia Theodore Philip Vincent""".split()

LAST = """Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Anderson Taylor Thomas Moore Jackson Martin Lee Thompson White Harris Clark
Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Phillips Evans Turner Parker
Collins Edwards Stewart Morris Murphy Cook Rogers Morgan Cooper Peterson Reed Bailey Bell Kelly Howard Ward Cox Richardson Watson Brooks Bennett Gray Hughes
Price Myers Foster Sanders Ross Powell Sullivan Russell Fisher Henderson Coleman Patterson Jordan Reynolds Hamilton Graham Wallace Woods West Cole Owens""".split()

PLACES = """London|Paris|New York|Chicago|Boston|San Francisco|Los Angeles|Seattle|Denver|Dallas|Houston|Miami|Atlanta|Philadelphia|Washington|Toronto|Montreal|
Vancouver|Mexico City|Madrid|Lisbon|Rome|Milan|Venice|Berlin|Munich|Hamburg|Vienna|Prague|Budapest|Warsaw|Athens|Istanbul|Cairo|Nairobi|Cape Town|Mumbai|Delhi|
Tokyo|Osaka|Kyoto|Seoul|Beijing|Shanghai|Hong Kong|Singapore|Sydney|Melbourne|Auckland|Dublin|Edinburgh|Manchester|Oxford|Cambridge|Amsterdam|Brussels|Zurich|
Geneva|Stockholm|Oslo|Copenhagen|Helsinki|Moscow|Kiev|Texas|California|Florida|Ohio|Virginia|Kansas|Canada|England|Scotland|Ireland|France|Germany|Italy|Spain|
Portugal|Greece|Turkey|Egypt|Kenya|India|China|Japan|Korea|Australia|Brazil|Argentina|Chile|Peru|Norway|Sweden|Denmark|Finland|Poland|Austria|Switzerland"""

MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen""".split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth
nineteenth twentieth""".split()


def number(n: int) -> str:
    """0 .. 999,999,999 in words."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + (" " + ONES[n % 10] if n % 10 else "")
    for size, name in ((10**6, "million"), (10**3, "thousand"), (100, "hundred")):
        if n >= size:
            rest = n % size
            return number(n // size) + " " + name + (" " + ("and " if rest < 100 and size == 100 else "") + number(rest) if rest else "")
    raise AssertionError(n)


def ordinal(n: int) -> str:
    """1 .. 31"""
    return ORDINALS[n - 1] if n <= 20 else "thirtieth" if n == 30 else TENS[n // 10] + " " + ORDINALS[n % 10 - 1]


def year(n: int) -> str:
    if 2000 <= n < 2010:
        return "two thousand" + (f" and {ONES[n % 100]}" if n % 100 else "")
    low = n % 100
    return number(n // 100) + " " + ("hundred" if low == 0 else f"oh {ONES[low]}" if low < 10 else number(low))


FORMS = (
    "The train to {place} leaves at {clock}.", "My name is {name}.", "{name} was born in {place} in {year}.", "We met on {day} the {ordinal} of {month}.",
    "The number is {digits}.", "It costs {n} dollars and {small} cents.", "There are {n} people in {place}.", "Call me at {clock} on {day}.", "{first} lives at {n} {last} Street.",
    "{first} and {first2} are flying to {place} in {month}.", "The answer is {n}.", "About {tens} percent of the people in {place} agreed.", "{month} {ordinal}, {year}.",
    "She ran {small} point {digit} miles in {n2} minutes.", "Chapter {small}, page {n}.", "The war began in {year} and ended in {year2}.", "Doctor {last} will see you at {clock}.",
    "Mister {last} has {small} brothers and {digit} sisters.", "Please ask Missus {last} to come on {day}.", "In {year}, {name} moved from {place} to {place2}.", "{n}, {n2}, {n3}.",
    "The temperature fell to {small} degrees on {day}.", "Flight {digits} from {place} is {small} minutes late.", "{first}, this is {first2} {last}.", "Room {n} is on the {floor} floor.",
    "It weighs {n} pounds, or about {small} more than {day}'s.", "Professor {last} of {place} wrote {small} books.", "{name} won by {n} votes to {n2}.", "I was there from {month} to {month2}.",
    "The {ordinal} of {month} is a {day}.",
)  # fmt: skip


def numbers_and_names(count: int, seed: int) -> list[str]:
    """Sentences with numbers, dates, times and names, every number in words."""
    rng = random.Random(f"numbers {seed}")
    places = [p.strip() for p in PLACES.replace("\n", "").split("|")]
    made: dict[str, None] = {}

    def clock() -> str:
        hour, minute = rng.choice(ONES[1:13]), rng.randrange(0, 60, 5)
        return rng.choice([f"{hour} {number(minute)}", f"half past {hour}", f"a quarter to {hour}", f"{hour} o'clock"]) if minute > 9 else f"{hour} o'clock"

    while len(made) < count:
        n = [int(10 ** rng.uniform(1, 5.5)) for _ in range(3)]
        first, other, last = rng.choice(FIRST), rng.choice(FIRST), rng.choice(LAST)
        since = rng.randrange(1700, 2030)
        text = FORMS[len(made) % len(FORMS)].format(
            place=rng.choice(places), place2=rng.choice(places), clock=clock(), first=first, first2=other, last=last, name=f"{first} {last}",
            year=year(since), year2=year(since + rng.randrange(1, 12)), day=rng.choice(DAYS), month=rng.choice(MONTHS), month2=rng.choice(MONTHS),
            ordinal=ordinal(rng.randrange(1, 32)), floor=ordinal(rng.randrange(1, 21)), digits=" ".join(rng.choice(ONES[:10]) for _ in range(rng.randrange(3, 8))),
            n=number(n[0]), n2=number(n[1] % 900 + 2), n3=number(n[2]), small=number(rng.randrange(2, 60)), digit=rng.choice(ONES[2:10]), tens=number(rng.randrange(10, 99)),
        )  # fmt: skip
        made.setdefault(sentence(text))
    return list(made)


def short(count: int, found: list[Synset], frequency: dict[str, int]) -> list[str]:
    """One- and two-word utterances: greetings and answers, then the database's most frequent words and two-word terms."""
    made = dict.fromkeys(sentence(text.strip()) for text in GREETINGS.replace("\n", "").split("|"))
    lemmas = dict.fromkeys(lemma for synset in found for lemma in synset.lemmas)
    ranked = sorted((lemma for lemma in lemmas if PLAIN.fullmatch(lemma) and not COARSE.search(lemma)), key=lambda lemma: (-frequency.get(lemma, 0), lemma))
    single = [x for x in ranked if " " not in x and len(x) > 2]
    double = [x for x in ranked if x.count(" ") == 1 and frequency.get(x, 0) > 0]
    for pair in zip(single, double, strict=False):
        made.update(dict.fromkeys(map(sentence, pair)))
        if len(made) >= count:
            break
    return list(made)[:count]
