"""Text -> the words that carry mass: tokenized, cased, without stop words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import stop_words
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.tokenizers.tokenizer_base import BaseTokenizer

from nmt.config.languages import language_of, tokenizer_for
from nmt.config.metrics import AUTO, WmdConfig
from nmt.errors import MetricError

NLTK_2017 = "nltk-2017"
_FOLDER = Path(__file__).resolve().parents[1] / "stopwords"
# A typographic apostrophe is the one of the keyboard: stop lists and vectors know "don't", not "don’t".
_APOSTROPHE = str.maketrans("’", "'")


@dataclass(frozen=True)
class StopList:
    """`name` is part of the signature; `statement` says in a sentence what a user may not expect, or is empty.

    Tokens without a letter or a digit are dropped too, unless `keeps_marks`: a full stop that both texts end with would
    make any two of them alike.
    """

    name: str
    words: frozenset[str]
    statement: str = ""
    keeps_marks: bool = False

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that change with the words: a list is maintained by others, under the same name."""
        return hashlib.sha256("\n".join(sorted(self.words)).encode()).hexdigest()[:8]

    def drops(self, token: str) -> bool:
        """In any casing: "The" is a stop word as "the" is."""
        return token.lower() in self.words or not (self.keeps_marks or token.isalnum() or any(map(str.isalnum, token)))


@cache
def stop_list(name: str, language: str) -> StopList:
    """The stop list that `metrics.wmd.stop_words` names.

    auto: the list of `language` (none, said in `statement`, where it has no list); a language code: its list;
    nltk-2017: NLTK's English list of that year, and nothing else; none: every token counts, punctuation included.

    Lists come from the package stop-words. Its English one, alone among them, has grown to 1,333 words and drops "man",
    "men", "young" and "computer"; English is therefore NLTK's short list with the package's contractions ("don't").

    Raises MetricError for any other name.
    """
    if name == "none":
        return StopList("none", frozenset(), keeps_marks=True)
    if name == NLTK_2017:
        return StopList(name, _words_of_file(name), keeps_marks=True)
    code = language_of(language if name == "auto" else name)
    if code in stop_words.LANGUAGE_MAPPING:
        words = frozenset(stop_words.get_stop_words(code))
        if code == "en":
            words = _words_of_file(NLTK_2017) | {word for word in words if "'" in word}
        return StopList(code, words)
    if name == "auto":
        statement = f"there is no stop list for the language {code!r}: every word counts"
        return StopList(f"none-for-{code}", frozenset(), statement)
    raise MetricError(
        "stop words",
        found=repr(name),
        expected=f"auto, none, {NLTK_2017} or one of {', '.join(sorted(stop_words.LANGUAGE_MAPPING))}",
        next_step="choose none for a language without a list",
    )


def _words_of_file(name: str) -> frozenset[str]:
    lines = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("\n")
    return frozenset(line for line in lines if line and not line.startswith("#"))


@cache
def tokenizer(name: str) -> BaseTokenizer:
    """sacreBLEU's tokenizer (Post 2018): text -> text with spaces between the tokens.

    Raises MetricError where its package is not installed (Japanese and Korean).
    """
    try:
        tokenize: BaseTokenizer = BLEU(tokenize=name, force=True).tokenizer
    except (ImportError, RuntimeError) as error:
        raise MetricError(
            "metrics.wmd.tokenize",
            found=f"{name}, whose package is not installed",
            expected="a tokenizer that can be loaded",
            next_step=f"install sacrebleu[{name.partition('-')[0]}], or choose another tokenizer",
        ) from error
    return tokenize


def tokens_of(text: str, cfg: WmdConfig, language: str) -> list[str]:
    """All tokens of a text, stop words included: what word vectors are trained on."""
    text = text.translate(_APOSTROPHE)
    cut = tokenizer(tokenizer_name(cfg, language))
    tokens: list[str] = cut(text.lower() if cfg.lowercase else text).split()
    return tokens


def tokenizer_name(cfg: WmdConfig, language: str) -> str:
    """What `metrics.wmd.tokenize` names for text of a language."""
    return tokenizer_for(language_of(language)) if cfg.tokenize == AUTO else cfg.tokenize


def tokenizer_signature(name: str) -> str:
    """sacreBLEU's: the name, and for some the version of the dictionary behind it."""
    return str(tokenizer(name).signature())  # type: ignore[no-untyped-call]


def words_for(text: str, cfg: WmdConfig, language: str) -> list[str]:
    """Tokens of a text that its stop list does not drop, repeats included, in their order."""
    drops = stop_list(cfg.stop_words, language).drops
    return [token for token in tokens_of(text, cfg, language) if not drops(token)]


def vocabulary_of(texts: Iterable[str], cfg: WmdConfig, language: str) -> set[str]:
    """The words that vectors are needed for."""
    return {word for text in texts for word in words_for(text, cfg, language)}
