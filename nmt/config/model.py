"""The shape of the encoder-decoder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nmt.errors import ConfigError


class Cell(Enum):
    gru = "gru"
    lstm = "lstm"


class Attention(Enum):
    """bahdanau has two layers; single_layer is the counter-example whose rows are all alike."""

    bahdanau = "bahdanau"
    single_layer = "single_layer"
    luong_general = "luong_general"
    dot = "dot"


class Decoder(Enum):
    """plain: attend with the previous state, then one transition. conditional: attend between two transitions."""

    plain = "plain"
    conditional = "conditional"


class Tie(Enum):
    """none; target: target embedding and output share (2-way); all: source embedding too (3-way)."""

    none = "none"
    target = "target"
    all = "all"


@dataclass
class ModelConfig:
    cell: Cell = Cell.gru
    attention: Attention = Attention.bahdanau
    decoder: Decoder = Decoder.plain
    embedding: int = 256  # width of an embedding
    encoder_units: int = 256  # a direction
    encoder_layers: int = 1
    units: int = 256  # decoder state
    decoder_layers: int = 1
    attention_units: int = 256  # width of the hidden layer of bahdanau
    output_units: int | None = None  # width of the deep output layer; None: of an embedding, as tied tables need it
    tie: Tie = Tie.none
    residual: bool = False  # between stacked layers
    dropout_embedding: float = 0.0  # share of embedding features set to 0
    dropout_state: float = 0.0  # share of recurrent features set to 0, one mask a sentence (Gal & Ghahramani 2016)
    dropout_output: float = 0.0  # share of deep-output features set to 0

    def __post_init__(self) -> None:
        for key in ("embedding", "encoder_units", "encoder_layers", "units", "decoder_layers", "attention_units"):
            if getattr(self, key) < 1:
                raise ConfigError(
                    f"model.{key}",
                    found=getattr(self, key),
                    expected="at least 1",
                    next_step="see configs/model for sizes that work",
                )
        self._check_output()
        for key in ("dropout_embedding", "dropout_state", "dropout_output"):
            if not 0 <= getattr(self, key) < 1:
                raise ConfigError(
                    f"model.{key}",
                    found=getattr(self, key),
                    expected="0 <= rate < 1",
                    next_step="0.3 is usual for small corpora",
                )
        if self.attention is Attention.dot and self.units != 2 * self.encoder_units:
            raise ConfigError(
                "model.attention",
                found="dot",
                expected=f"model.units = 2 * model.encoder_units ({2 * self.encoder_units}), got {self.units}",
                next_step="match the widths or use luong_general",
            )

    @property
    def readout(self) -> int:
        """Width of what is multiplied with the output's table."""
        return self.output_units or self.embedding

    def _check_output(self) -> None:
        if self.output_units is not None and self.output_units < 1:
            raise ConfigError(
                "model.output_units",
                found=self.output_units,
                expected="at least 1, or null for the width of an embedding",
                next_step="null is a good start",
            )
        if self.tie is not Tie.none and self.readout != self.embedding:
            raise ConfigError(
                "model.output_units",
                found=self.output_units,
                expected=f"null or model.embedding ({self.embedding}), whose table the output shares (model.tie)",
                next_step="leave it out or set model.tie=none",
            )
