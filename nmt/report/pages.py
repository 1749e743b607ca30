"""Pages from templates, in one style: whatever comes from data is escaped there. A page needs no other file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Column:
    """Of a table: its heading, and whether it holds numbers, which stand to the right."""

    label: str
    number: bool = False


@dataclass(frozen=True)
class Cell:
    """What a table shows at one place: a text that may lead somewhere, have a class of the style, and a note."""

    text: str
    href: str = ""
    kind: str = ""
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """SVG for a broad screen and for a narrow one; or one that suits both."""

    broad: str
    narrow: str = ""


def render(name: str, values: Mapping[str, object], folder: Path = TEMPLATES) -> str:
    """The page that the template `name` of `folder` makes of `values`; it may build on those of TEMPLATES."""
    environment = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(values)


def image(png: bytes, caption: str) -> str:
    """A picture inside HTML, its caption escaped; nothing where there is none."""
    if not png:
        return ""
    data = b64encode(png).decode("ascii")
    text = escape(caption)
    return f'<figure><figcaption>{text}</figcaption><img alt="{text}" src="data:image/png;base64,{data}"></figure>\n'
