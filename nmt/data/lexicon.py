"""Words of the embedded caption grammar, with what German needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """gender: m, f or n. `weak`: a masculine noun that ends in -n outside the nominative (der Junge, den Jungen)."""

    en: str
    en_plural: str
    de: str
    de_plural: str
    gender: str
    weak: bool = False

    def german(self, case: str, plural: bool) -> str:
        """Nominative, accusative or dative ("nom", "acc", "dat"); the dative plural ends in -n unless in -n or -s."""
        if not plural:
            return self.de + "n" if self.weak and case != "nom" else self.de
        return self.de_plural + "n" if case == "dat" and self.de_plural[-1] not in "ns" else self.de_plural


@dataclass(frozen=True)
class Verb:
    """English -ing form and participle; German third persons, infinitive and participle; a separable particle."""

    en_ing: str
    en_participle: str
    de_singular: str
    de_plural: str
    de_participle: str
    en_particle: str = ""  # "picking up": after the verb
    de_particle: str = ""  # "hebt ... auf": at the end of a main clause, in front of the verb elsewhere


@dataclass(frozen=True)
class Pair:
    """A word or phrase that does not change."""

    en: str
    de: str


BEINGS = (
    Noun("man", "men", "Mann", "Männer", "m"),
    Noun("woman", "women", "Frau", "Frauen", "f"),
    Noun("girl", "girls", "Mädchen", "Mädchen", "n"),
    Noun("boy", "boys", "Junge", "Jungen", "m", weak=True),
    Noun("child", "children", "Kind", "Kinder", "n"),
    Noun("dog", "dogs", "Hund", "Hunde", "m"),
    Noun("cat", "cats", "Katze", "Katzen", "f"),
    Noun("horse", "horses", "Pferd", "Pferde", "n"),
    Noun("teacher", "teachers", "Lehrerin", "Lehrerinnen", "f"),
    Noun("painter", "painters", "Maler", "Maler", "m"),
)
THINGS = (
    Noun("ball", "balls", "Ball", "Bälle", "m"),
    Noun("guitar", "guitars", "Gitarre", "Gitarren", "f"),
    Noun("book", "books", "Buch", "Bücher", "n"),
    Noun("apple", "apples", "Apfel", "Äpfel", "m"),
    Noun("flower", "flowers", "Blume", "Blumen", "f"),
    Noun("bicycle", "bicycles", "Fahrrad", "Fahrräder", "n"),
    Noun("hat", "hats", "Hut", "Hüte", "m"),
    Noun("bag", "bags", "Tasche", "Taschen", "f"),
    Noun("boat", "boats", "Boot", "Boote", "n"),
    Noun("letter", "letters", "Brief", "Briefe", "m"),
)
PLACES = (
    Noun("table", "tables", "Tisch", "Tische", "m"),
    Noun("street", "streets", "Straße", "Straßen", "f"),
    Noun("house", "houses", "Haus", "Häuser", "n"),
    Noun("tree", "trees", "Baum", "Bäume", "m"),
    Noun("bench", "benches", "Bank", "Bänke", "f"),
    Noun("car", "cars", "Auto", "Autos", "n"),
    Noun("garden", "gardens", "Garten", "Gärten", "m"),
    Noun("bridge", "bridges", "Brücke", "Brücken", "f"),
    Noun("window", "windows", "Fenster", "Fenster", "n"),
    Noun("wall", "walls", "Mauer", "Mauern", "f"),
)
ADJECTIVES = (  # the German stem, to which the ending is added
    Pair("small", "klein"),
    Pair("big", "groß"),
    Pair("old", "alt"),
    Pair("young", "jung"),
    Pair("white", "weiß"),
    Pair("black", "schwarz"),
    Pair("red", "rot"),
    Pair("blue", "blau"),
    Pair("green", "grün"),
    Pair("yellow", "gelb"),
    Pair("brown", "braun"),
    Pair("tired", "müd"),
    Pair("happy", "fröhlich"),
    Pair("beautiful", "schön"),
)
NUMBERS = (Pair("two", "zwei"), Pair("three", "drei"), Pair("four", "vier"), Pair("five", "fünf"), Pair("six", "sechs"))
RESTING = (
    Verb("sitting", "sat", "sitzt", "sitzen", "gesessen"),
    Verb("standing", "stood", "steht", "stehen", "gestanden"),
    Verb("sleeping", "slept", "schläft", "schlafen", "geschlafen"),
    Verb("playing", "played", "spielt", "spielen", "gespielt"),
    Verb("waiting", "waited", "wartet", "warten", "gewartet"),
    Verb("dancing", "danced", "tanzt", "tanzen", "getanzt"),
    Verb("working", "worked", "arbeitet", "arbeiten", "gearbeitet"),
    Verb("smiling", "smiled", "lächelt", "lächeln", "gelächelt"),
)
ACTING = (
    Verb("seeing", "seen", "sieht", "sehen", "gesehen"),
    Verb("holding", "held", "hält", "halten", "gehalten"),
    Verb("buying", "bought", "kauft", "kaufen", "gekauft"),
    Verb("carrying", "carried", "trägt", "tragen", "getragen"),
    Verb("painting", "painted", "malt", "malen", "gemalt"),
    Verb("finding", "found", "findet", "finden", "gefunden"),
    Verb("looking", "looked", "sucht", "suchen", "gesucht", en_particle="for"),
    Verb("picking", "picked", "hebt", "heben", "gehoben", en_particle="up", de_particle="auf"),
    Verb("looking", "looked", "sieht", "sehen", "gesehen", en_particle="at", de_particle="an"),
    Verb("bringing", "brought", "bringt", "bringen", "gebracht", en_particle="back", de_particle="zurück"),
    Verb("throwing", "thrown", "wirft", "werfen", "geworfen", en_particle="away", de_particle="weg"),
    Verb("taking", "taken", "nimmt", "nehmen", "genommen", en_particle="along", de_particle="mit"),
)
WHERE = (  # with the dative: a place, not a direction
    Pair("in", "in"),
    Pair("on", "auf"),
    Pair("under", "unter"),
    Pair("behind", "hinter"),
    Pair("in front of", "vor"),
    Pair("next to", "neben"),
)
WITH = (("with", "mit", "dat"), ("without", "ohne", "acc"))
WHEN = (
    Pair("today", "heute"),
    Pair("now", "jetzt"),
    Pair("in the morning", "am Morgen"),
    Pair("every day", "jeden Tag"),
    Pair("at night", "nachts"),
    Pair("on Sunday", "am Sonntag"),
)
JOINING = (Pair("because", "weil"), Pair("while", "während"), Pair("although", "obwohl"))
