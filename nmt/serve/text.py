"""What of a request is translated, and how the answer is put together again.

Lines and the white space between sentences stay as they are; each sentence (`nmt.search.paragraphs`) is translated for
itself, and one that is longer than the model reads in parts. Of HTML, tags, comments, scripts and styles stay where
they are, and each stretch of text between them is translated for itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape, unescape
from html.parser import HTMLParser
from typing import NamedTuple

from nmt.search.paragraphs import split_sentences

_LINE_ENDS = re.compile("(\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029])")
Fits = Callable[[str], bool]  # whether a model reads all of a sentence


class Part(NamedTuple):
    """A stretch of a request: a sentence, or what is kept as it is."""

    text: str
    sentence: bool
    html: bool = False  # the answer is escaped


def parts_of_text(text: str, fits: Fits) -> list[Part]:
    """The text in order; joined, the parts are it."""
    parts: list[Part] = []
    for number, line in enumerate(_LINE_ENDS.split(text)):
        if number % 2:
            parts.append(Part(line, False))
            continue
        for sentence, space in split_sentences(line):
            body = sentence.lstrip()
            for kept in (sentence[: len(sentence) - len(body)], *_fitting(body, fits), space):
                parts.append(Part(kept, bool(kept.strip())))
    return [part for part in parts if part.text]


def parts_of_html(text: str, fits: Fits) -> list[Part]:
    """The page in order; tags are kept."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    parts: list[Part] = []
    for kept, is_text in reader.stretches:
        if is_text:
            parts += [Part(*part[:2], html=True) for part in parts_of_text(unescape(kept), fits)]
        else:
            parts.append(Part(kept, False))
    return parts


def joined(parts: Sequence[Part], translations: Sequence[str]) -> str:
    """The answer: each sentence replaced by its translation, in order."""
    rest = iter(translations)
    texts = [(next(rest) if part.sentence else part.text, part.html) for part in parts]
    return "".join(escape(text, quote=False) if html else text for text, html in texts)


def _fitting(sentence: str, fits: Fits) -> list[str]:
    """The sentence, or stretches of it that the model reads whole, cut at white space where there is some."""
    found: list[str] = []
    while sentence and not fits(sentence):
        low, high = 1, len(sentence)  # a single letter is read, whatever it is
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(sentence[:middle]) else (low, middle)
        space = max((match.end() for match in re.finditer(r"\s+", sentence[:low])), default=low)
        head = sentence[:space]
        found += [head.rstrip(), head[len(head.rstrip()) :]]
        sentence = sentence[space:]
    return [*found, sentence]


class _Reader(HTMLParser):
    """Stretches of a page: (as it was written, whether it is text)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.stretches: list[tuple[str, bool]] = []

    def _add(self, raw: str, is_text: bool) -> None:
        if is_text and self.stretches and self.stretches[-1][1]:
            raw = self.stretches.pop()[0] + raw
        self.stretches.append((raw, is_text))

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._add(self.get_starttag_text() or "", False)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._add(f"</{tag}>", False)

    def handle_data(self, data: str) -> None:
        self._add(data, self.cdata_elem is None)

    def handle_entityref(self, name: str) -> None:
        self._add(f"&{name};", True)

    def handle_charref(self, name: str) -> None:
        self._add(f"&#{name};", True)

    def handle_comment(self, data: str) -> None:
        self._add(f"<!--{data}-->", False)

    def handle_decl(self, decl: str) -> None:
        self._add(f"<!{decl}>", False)

    def unknown_decl(self, data: str) -> None:
        self._add(f"<![{data}]>", False)

    def handle_pi(self, data: str) -> None:
        self._add(f"<?{data}>", False)
