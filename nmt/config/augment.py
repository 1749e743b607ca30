"""The command line that makes training text with models of its own: few keys, and the words of train.py."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from nmt.config import mistakes
from nmt.config.compose import arguments
from nmt.config.named import matching
from nmt.config.option import Options, option
from nmt.config.overrides import apply_overrides, known_keys, parse_override, to_typed
from nmt.config.root import CommandLine
from nmt.config.store import GROUPS
from nmt.errors import ConfigError

BACK, FORWARD, DIVERSIFY = METHODS = ("back", "forward", "diversify")
REFUSED = ("resume", "hydra.run.dir", "train.init_from")  # words of train.py that no stage can take


def read_search_words(text: str) -> list[str]:
    """Raises ConfigError for another word than one of the search."""
    expected = "words of the search, with a blank between them"
    example = 'translate="search.beam=4 search.max_extra=20"'
    return _words_in(text, "translate", lambda key: key.startswith("search."), expected, example)


def read_final_words(text: str) -> list[str]:
    """Raises ConfigError for another word than one of the model, its training, its search and its scores."""

    def fits(key: str) -> bool:
        key = key.lstrip("+~")
        return key not in ("data", "seed", *REFUSED) and not key.startswith(("-", "data.", "sweep"))

    expected = "words of train.py with a blank between them, none of the text, the seed or the folder"
    return _words_in(text, "final_words", fits, expected, 'final_words="train.max_steps=20000 model.units=512"')


def _words_in(text: str, option: str, fits: Callable[[str], bool], expected: str, example: str) -> list[str]:
    """The words of a value that is a command line itself, KEY=VALUE each, with keys that fit."""

    def mistake(word: str) -> ConfigError:
        return ConfigError(option, found=word, expected=expected, next_step=f"write {example}")

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise mistake(text) from error
    for word in words:
        key, is_set, _ = word.partition("=")
        if not is_set or not fits(key):
            raise mistake(word)
    return words


class Back(Enum):
    """How sources are made of targets.

    beam: the best that is found; sampling: drawn from the model; noised: the best, with words left out, blanked and
    moved (Edunov et al. 2018).
    """

    beam = "beam"
    sampling = "sampling"
    noised = "noised"


@dataclass
class AugmentConfig(Options):
    """Make training text with models of a recipe, and train the recipe on the sum."""

    out: str = option("", "folder of all stages and of the text; the same command goes on there")
    methods: list[str] = option([DIVERSIFY], f"of {', '.join(METHODS)}")
    back: Back = option(Back.beam, "how back-translations are made; noised: words left out, blanked and moved")
    models: int = option(3, "of diversify: models in each direction", at_least=1, hint="3 is usual, 1 is the least")
    teachers: int = option(
        1, "of forward: models that translate together (Freitag et al. 2017)", at_least=1, hint="1 is one model alone"
    )
    rounds: int = option(
        1, "of diversify: the models of a round learn from the text of the one before", at_least=1, hint="1 is usual"
    )
    mono_src: list[str] = option([], "files of source sentences for forward; []: those of the training text")
    mono_tgt: list[str] = option([], "files of target sentences for back; []: those of the training text")
    tag: str | None = option("<BT>", "word before each back-translated source (Caswell et al. 2019); null: none")
    drop: float = option(0.1, "of noised: share of words left out", at_least=0, below=1, hint="0.1 is usual, 0 is off")
    blank: float = option(0.1, "of noised: share of words blanked", at_least=0, at_most=1, hint="0.1 is usual")
    shuffle: int = option(3, "of noised: places that a word may move", at_least=0, hint="3 is usual, 0 moves none")
    filler: str = option("<BLANK>", "of noised: the word in the place of a blanked one")
    translate: str = option("", 'how all stages translate, as words: "search.beam=4 search.batch_tokens=8192"')
    part: int = option(2_048, "lines translated from one save to the next", at_least=1, hint="2048 is usual")
    min_score: float | None = option(
        None,
        "least log-probability a subword of what was made, as nmt score has it; null: not asked for",
        at_most=0,
        null="to keep all",
        hint="-2 leaves out what the model itself finds unlikely",
    )
    min_similarity: float | None = option(
        None,
        "least similarity by Word Mover's Distance between what was made and the training text's own; null: not asked",
        above=0,
        at_most=1,
        null="to keep all",
        hint="0.5 is a start; nmt wmd shows the similarities of your text",
    )
    vectors_src: str | None = option(None, "word vectors of the source language, for min_similarity of back")
    vectors_tgt: str | None = option(None, "... of the target language, of forward")
    upsample: int = option(1, "times that the real text stands in the sum", at_least=1, hint="1 leaves it as it is")
    gzip: bool = option(False, "write the sum packed")
    final: int = option(1, "models trained on the sum, seeds counted up; 0: text alone", at_least=0, hint="1 is usual")
    final_words: str = option("", 'words of train.py that they alone have: "train.max_steps=20000 model.units=512"')
    jobs: int | None = option(
        None,
        "stages at once; null: one for each GPU, or one for every two cores",
        at_least=1,
        null="for as many as there are GPUs, or pairs of cores",
        hint="1 runs one after another",
    )
    dry_run: bool = option(False, "list the stages, the expected time and cost, run nothing")
    train_tokens_per_s: float | None = option(
        None,
        "of dry_run: target subwords a second in training; null: measured on stages that have ended",
        above=0,
        null="to measure",
        hint="the log of a run tells it",
    )
    translate_words_per_s: float | None = option(
        None, "of dry_run: words a second in translating; null: measured", above=0, null="to measure", hint="1000"
    )
    words: list[str] = field(default_factory=list)  # of train.py: the recipe
    flags: list[str] = field(default_factory=list)  # ... with dashes

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.out:
            raise ConfigError("out", found="nothing", expected="a folder", next_step="write out=FOLDER")
        if not self.methods or len(set(self.methods)) < len(self.methods) or not set(self.methods) <= set(METHODS):
            raise ConfigError(
                "methods",
                found=f"[{','.join(self.methods)}]",
                expected=f"some of {', '.join(METHODS)}, each at most once",
                next_step=f"write methods=[{DIVERSIFY}]",
            )
        read_final_words(self.final_words)
        self._check_needed()
        for key in ("tag", "filler"):
            word = getattr(self, key)
            if word is not None and len(word.split()) != 1:
                raise ConfigError(key, found=repr(word), expected="one word", next_step="leave out the white space")
        if self.min_similarity is None and (self.vectors_src or self.vectors_tgt):
            raise ConfigError(
                "vectors_src, vectors_tgt",
                found=self.vectors_src or self.vectors_tgt,
                expected="min_similarity beside it",
                next_step="add min_similarity=0.5",
            )
        if self.min_similarity is not None and not (self.vectors_src or self.vectors_tgt):
            raise ConfigError(
                "min_similarity",
                found=self.min_similarity,
                expected="word vectors beside it",
                next_step="add vectors_src=FILE for back-translations, vectors_tgt=FILE for forward translations",
            )

    def _check_needed(self) -> None:
        """Raises ConfigError for an option of what is not done: it would change nothing."""
        noised, diverse = self.back is Back.noised, DIVERSIFY in self.methods
        compared = "of the training text among methods"  # other sentences have nothing to compare with
        needs = {
            **dict.fromkeys(("models", "rounds"), (diverse, f"{DIVERSIFY} among methods")),
            **dict.fromkeys(("back", "mono_tgt", "tag"), (BACK in self.methods, f"{BACK} among methods")),
            "final_words": (self.final > 0, "final models (final=1)"),
            **dict.fromkeys(("drop", "blank", "shuffle", "filler"), (noised, f"back={Back.noised.value}")),
            **dict.fromkeys(("teachers", "mono_src"), (FORWARD in self.methods, f"{FORWARD} among methods")),
            "vectors_src": (diverse or (BACK in self.methods and not self.mono_tgt), f"{BACK} {compared}"),
            "vectors_tgt": (diverse or (FORWARD in self.methods and not self.mono_src), f"{FORWARD} {compared}"),
        }
        defaults = OmegaConf.structured(AugmentConfig)
        for key, (there, expected) in needs.items():
            if not there and getattr(self, key) != defaults[key]:
                raise ConfigError(
                    key,
                    found=mistakes.show(getattr(self, key)),
                    expected=f"{expected} beside it",
                    next_step="add that, or leave it out",
                )


def _parsed(word: str) -> Override:
    """With what a shell takes away: translate=a b -> translate="a b"; and mono_tgt=FILE -> mono_tgt=[FILE]"""
    key, _, text = word.partition("=")
    if key in ("translate", "tag", "filler", "final_words") and text.lower() != "null" and text[:1] not in ("'", '"'):
        return parse_override(f"{key}={mistakes.in_quotes(text)}")
    override = parse_override(word)
    one = key in ("methods", "mono_src", "mono_tgt") and isinstance(override.value(), str)
    return parse_override(f"{key}=[{text}]") if one else override


def read_augment(argv: Sequence[str]) -> AugmentConfig:
    """A checked command line; the words of the recipe are checked where they are composed. Raises ConfigError."""
    own = {part.name for part in fields(AugmentConfig)} - {"words", "flags"}
    known = sorted({*own, *known_keys(CommandLine), *GROUPS})
    for word in argv:
        if word.startswith("--") and word.lstrip("-").partition("=")[0].replace("-", "_") in own:
            raise mistakes.dashed(word, own)
    args, flags = arguments(argv)
    if args.multirun or args.cfg is not None or args.info is not None:
        raise ConfigError("nmt augment", found="a flag of train.py", expected="words", next_step="leave it out")
    settings, words = [], []
    for word in args.overrides:
        key = word.lstrip("+~").partition("=")[0]
        if key in own:
            settings.append(_parsed(word))
        elif key in REFUSED or key.startswith("sweep"):
            raise ConfigError(
                key,
                found=word.partition("=")[2],
                expected="no such word: each stage has its own folder and begins at its own seed",
                next_step="leave it out; the same command goes on where it was",
            )
        elif "." not in key and "/" not in key and key not in known:
            raise mistakes.unknown_key(key, known)
        else:
            words.append(word)
    node = apply_overrides(OmegaConf.structured(AugmentConfig), settings)
    node.words, node.flags = words, flags
    for key in ("mono_src", "mono_tgt"):
        node[key] = [file for pattern in node[key] for file in matching(key, str(pattern))]
    return to_typed(node, AugmentConfig)
