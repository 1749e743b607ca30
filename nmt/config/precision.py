"""In which type the large matrix products are taken."""

from __future__ import annotations

from enum import Enum


class Precision(Enum):
    """float32 everywhere, or the products alone in a 16-bit type; weights and all else stay float32."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"
