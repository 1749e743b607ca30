"""Characters that a library keeps for itself, and text that has them all the same."""

from __future__ import annotations

import re

_FIRST, MARK = 0xFDD0, "\ufdef"  # Unicode promises never to give these code points, and those between, to text


class StandIns:
    """`show(hide(text))` is the text, whatever it is, and what is hidden has none of the reserved characters.

    Each reserved character becomes one of those code points. A text may hold them in spite of the promise: then a mark
    stands before each, and before one more of them for a mark. So a mark before anything else, a mark too, is free for
    names that no text has, whatever stands around them.

    `hidden` is for `str.translate`; of `shown` the longer keys come first.
    """

    def __init__(self, reserved: str) -> None:
        stand_ins = "".join(chr(_FIRST + place) for place in range(len(reserved)))
        for_mark = chr(_FIRST + len(reserved))
        hidden = dict(zip(reserved, stand_ins, strict=True))
        marked = {c: MARK + c for c in stand_ins} | {MARK: MARK + for_mark}
        self.hidden = str.maketrans(hidden | marked)
        before = {MARK + MARK: MARK}  # in models that were learnt when a mark stood for a mark
        self.shown = before | {there: c for c, there in [*marked.items(), *hidden.items()]}
        self._to_hide = re.compile(f"[{re.escape(reserved)}{MARK}{stand_ins}]")
        self._to_show = re.compile("|".join(self.shown))

    def hide(self, text: str) -> str:
        """The text as the library may have it."""
        return text.translate(self.hidden) if self._to_hide.search(text) else text

    def show(self, text: str) -> str:
        """The text again."""
        return self._to_show.sub(lambda found: self.shown[found[0]], text)
