"""Characters that a library keeps for itself, and text that has them all the same."""

from __future__ import annotations

import re

_FIRST, MARK = 0xFDD0, "\ufdef"  # Unicode promises never to give these code points, and those between, to text


class StandIns:
    """`show(hide(text))` is the text, whatever it is, and what is hidden has none of the reserved characters.

    Each reserved character becomes one of those code points. A text may hold them in spite of the promise: then a mark
    stands before each. So a mark before anything else is free for names that no text has.
    """

    def __init__(self, reserved: str) -> None:
        stand_ins = "".join(chr(_FIRST + place) for place in range(len(reserved)))
        own = MARK + stand_ins
        self._hidden = str.maketrans(dict(zip(reserved, stand_ins, strict=True)) | {c: MARK + c for c in own})
        self._shown = dict(zip(stand_ins, reserved, strict=True))
        self._to_hide = re.compile(f"[{re.escape(reserved)}{own}]")
        self._to_show = re.compile(f"{MARK}[{own}]|[{stand_ins}]")

    def hide(self, text: str) -> str:
        """The text as the library may have it."""
        return text.translate(self._hidden) if self._to_hide.search(text) else text

    def show(self, text: str) -> str:
        """The text again."""
        return self._to_show.sub(lambda found: self._shown.get(found[0], found[0][-1]), text)
