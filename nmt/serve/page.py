"""The page at /: one file with its style and script inside."""

from __future__ import annotations

from importlib.resources import files

PAGE = files("nmt.serve").joinpath("page.html").read_text(encoding="utf-8")
