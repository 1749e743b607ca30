"""The shape of the encoder-decoder."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from nmt.config.option import Options, option
from nmt.errors import ConfigError

SIZES = "see configs/model for sizes that work"
DROPOUT = "0.3 is usual for small corpora"
WORDS = "0.1 is usual"


class Cell(Enum):
    gru = "gru"
    lstm = "lstm"

    @property
    def gates(self) -> int:
        """Products of a transition, each as wide as the state."""
        return 3 if self is Cell.gru else 4


class Attention(Enum):
    """bahdanau has two layers; single_layer is the counter-example whose rows are all alike."""

    bahdanau = "bahdanau"
    single_layer = "single_layer"
    luong_general = "luong_general"
    dot = "dot"


DEGENERATE = Attention.single_layer


class Decoder(Enum):
    """plain: attend with the previous state, then one transition. conditional: attend between two transitions."""

    plain = "plain"
    conditional = "conditional"


class WordDropout(Enum):
    """place, type: what stays is scaled, as by all dropout (Sennrich et al. 2016; Gal & Ghahramani 2016). cutoff: each
    place on its own, and nothing is scaled (Shen et al. 2020)."""

    place = "place"
    type = "type"
    cutoff = "cutoff"


class Tie(Enum):
    """none; target: target embedding and output share (2-way); all: source embedding too (3-way)."""

    none = "none"
    target = "target"
    all = "all"


@dataclass
class ModelConfig(Options, place="model"):
    cell: Cell = option(Cell.gru, "of encoder and decoder")
    attention: Attention = option(
        Attention.bahdanau, "how the decoder looks at the source; single_layer: the counter-example, all rows alike"
    )
    decoder: Decoder = option(
        Decoder.plain, "plain: attend, then one transition; conditional: attend between two transitions"
    )
    embedding: int = option(256, "width of an embedding", at_least=1, hint=SIZES)
    encoder_units: int = option(256, "width of the encoder's state, a direction", at_least=1, hint=SIZES)
    encoder_layers: int = option(1, "layers of the encoder", at_least=1, hint=SIZES)
    units: int = option(256, "width of the decoder's state", at_least=1, hint=SIZES)
    decoder_layers: int = option(1, "layers of the decoder", at_least=1, hint=SIZES)
    attention_units: int = option(256, "width of the hidden layer of bahdanau", at_least=1, hint=SIZES)
    output_units: int | None = option(
        None,
        "width of the deep output layer; null: of an embedding, as tied tables need it",
        at_least=1,
        null="for the width of an embedding",
        hint="leave it out, or name a width",
    )
    tie: Tie = option(Tie.none, "target: target embedding and output share a table; all: the source embedding too")
    residual: bool = option(False, "between stacked layers")
    transition_depth: int = option(
        1,
        "transitions a time step in each recurrent layer; those after the first see the state alone",
        at_least=1,
        hint="1 is usual, 2 to 8 is deep (Miceli Barone et al. 2017)",
    )
    layer_norm: bool = option(False, "normalise what enters the gates, a product at a time (Ba et al. 2016)")
    dropout_embedding: float = option(0.0, "share of embedding features set to 0", at_least=0, below=1, hint=DROPOUT)
    dropout_state: float = option(
        0.0,
        "share of recurrent features set to 0, one mask a sentence (Gal & Ghahramani 2016)",
        at_least=0,
        below=1,
        hint=DROPOUT,
    )
    dropout_output: float = option(0.0, "share of deep-output features set to 0", at_least=0, below=1, hint=DROPOUT)
    dropout_source_words: float = option(
        0.0, "share of source words set to 0 as a whole", at_least=0, below=1, hint=WORDS
    )
    dropout_target_words: float = option(0.0, "of the words before each target word", at_least=0, below=1, hint=WORDS)
    dropout_words: WordDropout = option(
        WordDropout.place, "place: each on its own; type: all of a kind in a sentence; cutoff: as place, not scaled"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tie is not Tie.none and self.readout != self.embedding:
            raise ConfigError(
                "model.output_units",
                found=self.output_units,
                expected=f"null or model.embedding ({self.embedding}), whose table the output shares (model.tie)",
                next_step="leave it out or set model.tie=none",
            )
        if self.attention is Attention.dot and self.units != 2 * self.encoder_units:
            raise ConfigError(
                "model.attention",
                found="dot",
                expected=f"model.units = 2 * model.encoder_units ({2 * self.encoder_units}), got {self.units}",
                next_step="match the widths or use luong_general",
            )
        if self.dropout_words is not WordDropout.place and not (self.dropout_source_words or self.dropout_target_words):
            raise ConfigError(
                "model.dropout_words",
                found=f"{self.dropout_words.value} and no words that are dropped",
                expected="a share of them beside it",
                next_step="add model.dropout_source_words=0.1, or leave it out",
            )

    @property
    def drops(self) -> bool:
        """Whether anything is dropped out in training."""
        words = self.dropout_source_words, self.dropout_target_words
        return max(self.dropout_embedding, self.dropout_state, self.dropout_output, *words) > 0

    @property
    def readout(self) -> int:
        """Width of what is multiplied with the output's table."""
        return self.output_units or self.embedding


# What decides which weights there are, and how large.
SHAPE = tuple(
    f"model.{one.name}" for one in fields(ModelConfig) if one.name != "residual" and not one.name.startswith("dropout_")
)
