"""The embedded corpus: captions that a grammar writes in English and German at once.

What makes it more than a dictionary: German articles and adjectives agree with gender, number and case, the verb
comes second in a main clause and last in a subordinate or relative one, separable verbs leave their particle at the
end, participles follow the object, and a time at the head of the sentence turns subject and verb around.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from nmt.config.data import CaptionsConfig
from nmt.data.lexicon import (
    ACTING,
    ADJECTIVES,
    BEINGS,
    JOINING,
    NUMBERS,
    PLACES,
    RESTING,
    THINGS,
    WHEN,
    WHERE,
    WITH,
    Noun,
    Verb,
)
from nmt.data.text import ParallelText
from nmt.errors import DataError

COLUMNS = ("m", "f", "n", "pl")
DEFINITE = {
    "nom": dict(zip(COLUMNS, ("der", "die", "das", "die"), strict=True)),
    "acc": dict(zip(COLUMNS, ("den", "die", "das", "die"), strict=True)),
    "dat": dict(zip(COLUMNS, ("dem", "der", "dem", "den"), strict=True)),
}
THIS = {"m": {"nom": "er", "acc": "en", "dat": "em"}, "f": {"nom": "e", "acc": "e", "dat": "er"}}
THIS |= {"n": {"nom": "es", "acc": "es", "dat": "em"}, "pl": {"nom": "e", "acc": "e", "dat": "en"}}
A = {"m": {"nom": "", "acc": "en", "dat": "em"}, "f": {"nom": "e", "acc": "e", "dat": "er"}}
A |= {"n": {"nom": "", "acc": "", "dat": "em"}}
TRIES = 50  # draws for each sentence wanted before the grammar counts as exhausted


@dataclass(frozen=True)
class Phrase:
    """A noun phrase in English and in one German case."""

    en: str
    de: str
    plural: bool
    column: str  # gender, or pl
    human: bool


@dataclass(frozen=True)
class Clause:
    """A predicate: English after the subject; German by parts, put into order by the kind of clause."""

    en: str
    finite: str  # the verb form that agrees with the subject
    middle: list[str]  # objects and places
    end: str  # participle, or the particle of a separable verb in the present; may be empty
    final: str  # finite verb and end as they stand at the end of a subordinate clause


def adjective_ending(determiner: str, case: str, column: str) -> str:
    """Weak after the and this, mixed after a, strong after a number."""
    if case == "dat" or (case == "acc" and column == "m"):
        return "en"
    if determiner == "number":
        return "e"
    if determiner == "a":
        return {"m": "er", "f": "e", "n": "es"}[column]
    return "en" if column == "pl" else "e"


def determine(rng: random.Random, case: str, gender: str) -> tuple[str, str, str, str]:
    """-> kind, English, German, column."""
    kind = rng.choices(("a", "the", "this", "number"), (4, 3, 1, 2))[0]
    if kind == "number":
        number = rng.choice(NUMBERS)
        return kind, number.en, number.de, "pl"
    column = "pl" if kind != "a" and rng.random() < 0.25 else gender
    if kind == "a":
        return kind, "a", "ein" + A[column][case], column
    if kind == "the":
        return kind, "the", DEFINITE[case][column], column
    return kind, "these" if column == "pl" else "this", "dies" + THIS[column][case], column


def noun_phrase(rng: random.Random, nouns: tuple[Noun, ...], case: str, rich: bool) -> Phrase:
    """Determiner, at most two adjectives, noun; `rich` ones may add with or without something."""
    noun = rng.choice(nouns)
    kind, en_determiner, de_determiner, column = determine(rng, case, noun.gender)
    adjectives = rng.sample(ADJECTIVES, rng.choices((0, 1, 2), (4, 5, 1))[0])
    ending = adjective_ending(kind, case, column)
    plural = column == "pl"
    english = [*(a.en for a in adjectives), noun.en_plural if plural else noun.en]
    if en_determiner == "a" and english[0][0] in "aeiou":
        en_determiner = "an"
    en = [en_determiner, *english]
    de = [de_determiner, *(a.de + ending for a in adjectives), noun.german(case, plural)]
    if rich and rng.random() < 0.25:
        en_with, de_with, with_case = rng.choice(WITH)
        thing = noun_phrase(rng, THINGS, with_case, rich=False)
        en += [en_with, thing.en]
        de += [de_with, thing.de]
    human = noun.en in ("man", "woman", "girl", "boy", "child", "teacher", "painter")
    return Phrase(" ".join(en), " ".join(de), plural, column, human)


def place(rng: random.Random) -> tuple[str, str]:
    preposition = rng.choice(WHERE)
    noun = noun_phrase(rng, PLACES, "dat", rich=False)
    return f"{preposition.en} {noun.en}", f"{preposition.de} {noun.de}"


def conjugate(rng: random.Random, verb: Verb, plural: bool) -> tuple[str, str, str, str, str]:
    """Present or perfect: -> English auxiliary and verb, German finite form, end, and both at a clause's end."""
    present = verb.de_plural if plural else verb.de_singular
    if rng.random() < 0.7:
        english = f"{'are' if plural else 'is'} {verb.en_ing}"
        return english, verb.en_particle, present, verb.de_particle, verb.de_particle + present
    have = "haben" if plural else "hat"
    participle = verb.de_particle + verb.de_participle
    return (
        f"{'have' if plural else 'has'} {verb.en_participle}",
        verb.en_particle,
        have,
        participle,
        f"{participle} {have}",
    )


def predicate(rng: random.Random, plural: bool, rich: bool) -> Clause:
    """What a subject does: something to a thing, or nothing but being somewhere."""
    acting = rng.random() < 0.6
    english, particle, finite, end, final = conjugate(rng, rng.choice(ACTING if acting else RESTING), plural)
    en, middle = [english], []
    if particle:
        en.append(particle)
    if acting:
        thing = noun_phrase(rng, THINGS, "acc", rich=False)
        en.append(thing.en)
        middle.append(thing.de)
    if not acting or (rich and rng.random() < 0.4):
        where = place(rng)
        en.append(where[0])
        middle.append(where[1])
    return Clause(" ".join(en), finite, middle, end, final)


def subject(rng: random.Random) -> Phrase:
    """A being, in one of six cases with a relative clause."""
    being = noun_phrase(rng, BEINGS, "nom", rich=True)
    if rng.random() > 1 / 6:
        return being
    clause = predicate(rng, being.plural, rich=False)
    relative = "who" if being.human else "that"
    de = " ".join([DEFINITE["nom"][being.column], *clause.middle, clause.final])
    return Phrase(f"{being.en} {relative} {clause.en}", f"{being.de}, {de},", being.plural, being.column, being.human)


def caption(rng: random.Random) -> tuple[str, str]:
    """One sentence and its translation."""
    who = subject(rng)
    clause = predicate(rng, who.plural, rich=True)
    time = rng.choice(WHEN) if rng.random() < 0.35 else None
    front = time is not None and rng.random() < 0.5
    en, tail = [who.en, clause.en], ""
    if time is not None and front:
        # The comma that closes a relative clause stays: Heute sieht der Mann, der schläft, einen Ball.
        en.insert(0, time.en)
        de = [time.de, clause.finite, who.de, *clause.middle, clause.end]
    elif time is not None:
        en.append(time.en)
        de = [who.de, clause.finite, time.de, *clause.middle, clause.end]
    else:
        de = [who.de, clause.finite, *clause.middle, clause.end]
        if rng.random() < 0.2:
            joining, other = rng.choice(JOINING), noun_phrase(rng, BEINGS, "nom", rich=False)
            second = predicate(rng, other.plural, rich=False)
            en += [joining.en, other.en, second.en]
            tail = ", " + " ".join([joining.de, other.de, *second.middle, second.final])
    german = " ".join(part for part in de if part) + tail
    return _sentence(" ".join(en)), _sentence(german.removesuffix(","))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def write_captions(config: CaptionsConfig) -> tuple[ParallelText, ParallelText, ParallelText]:
    """Train, dev and test: the same for the same `data.grammar_seed`; no English sentence comes twice in all three.

    Raises DataError where more sentences are asked for than the grammar easily gives.
    """
    rng = random.Random(config.grammar_seed)
    sizes = config.train_pairs, config.dev_pairs, config.test_pairs
    pairs: dict[str, str] = {}
    for _ in range(TRIES * sum(sizes)):
        if len(pairs) == sum(sizes):
            break
        english, german = caption(rng)
        pairs.setdefault(english, german)
    if len(pairs) < sum(sizes):
        raise DataError(
            "data.train_pairs, data.dev_pairs, data.test_pairs",
            found=f"{sum(sizes)} together",
            expected=f"at most what the grammar gives (about {len(pairs)})",
            next_step="ask for fewer, or use data=files for a corpus of your own",
        )
    texts, start, rows = [], 0, list(pairs.items())
    for name, size in zip(("train", "dev", "test"), sizes, strict=True):
        part = rows[start : start + size]
        texts.append(ParallelText(name, [english for english, _ in part], [german for _, german in part]))
        start += size
    return texts[0], texts[1], texts[2]
