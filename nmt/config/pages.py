"""What `--help` prints: each program on one screen, with the defaults that the dataclasses hold."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nmt.config.mistakes import show
from nmt.config.reference import entries
from nmt.config.root import Config
from nmt.config.store import CONFIGS, GROUPS, options

Meanings = Sequence[tuple[str, str]]

GROUP_MEANINGS = {
    "data": "the corpus",
    "subword": "how text becomes pieces",
    "model": "the shape of the network",
    "search": "how translations are looked for",
    "train": "how weights are found",
    "metrics": "how translations are scored",
    "experiment": "a recipe that chooses among all of these; what you add wins over it",
    "sweep": "what a sweep (-m) tries, and how; what you add wins over it",
    "debug": "quick: every part once, in seconds",
}
# Of the many options, those that most people look for.
TRAIN_KEYS = (
    *("data.dir", "data.src", "data.tgt", "data.train", "data.dev", "data.test", "data.tests", "subword.size"),
    *("model.attention", "model.units", "model.embedding", "train.max_steps", "train.max_hours", "train.max_usd"),
    *("train.learning_rate", "train.batch_tokens", "train.device", "train.init_from", "search.beam"),
    *("metrics.report", "metrics.bleu.tokenize", "seed", "resume"),
)
OPTIONS_OF_BOTH: Meanings = (
    ("device=auto|cpu|gpu", "where to compute (auto)"),
    ("threads=N", "for TensorFlow; 0: as many as there are cores"),
    ("search.KEY=VALUE", "another search than the saved one: search.beam=1"),
)
EVERY_KEY = "every key with its default, meaning, type and bounds"
MORE_HELP: Meanings = (("--help all", f"{EVERY_KEY}; also of one group: --help search"),)


def train_page() -> str:
    """The page of train.py."""
    groups = [(f"{group}=", f"{GROUP_MEANINGS[group]}: {', '.join(options(group))}") for group in GROUPS]
    found = {entry.key: entry for entry in entries(Config)}
    keys = [(f"{key}={show(found[key].default)}", found[key].declared.meaning) for key in TRAIN_KEYS]
    return _page(
        "Train a translation model, score it, and write a run folder with checkpoints, scores and a report.",
        "python train.py [GROUP=OPTION ...] [KEY=VALUE ...]",
        [
            ("Groups and their options", groups),
            ("Some of the keys, with their defaults", keys),
            (
                "Flags",
                [
                    *MORE_HELP,
                    ("--cfg job", "print the whole configuration, run nothing"),
                    ("-m", "one run for each combination of values: seed=1,2,3; again: only what is missing"),
                    ("dry_run=true", "of a sweep: list the trials and the expected cost, run nothing"),
                    ("--hydra-help", "further flags and settings of Hydra"),
                ],
            ),
        ],
        [
            "python train.py",
            "python train.py experiment=multi30k data.dir=DIR",
            "python train.py data=files data.src=en data.tgt=fr data.train=PREFIX data.dev=PREFIX data.test=PREFIX",
            "python train.py -m model.units=256,512 seed=1,2,3",
            "python -m nmt.sweep report FOLDER",
            "python train.py resume=RUN_FOLDER train.max_steps=30000",
        ],
    )


def evaluate_page() -> str:
    """The page of evaluate.py."""
    keys = [
        ("checkpoint=FILE", "the model; '[A.h5,B.h5]' or 'runs/*/checkpoints/best.h5' compares several with the first"),
        ("checkpoint=A.h5+B.h5", "an ensemble, as translate.py has it"),
        ("+outputs.NAME=FILE", "translations of any toolkit, a line a sentence; alone they need no checkpoint"),
        ("+references.NAME=FILE", "further references; an empty line is none"),
        ("+segments.METRIC.NAME=FILE", "scores of sentences from elsewhere, a number a line; +signatures.METRIC=TEXT"),
        ("+groups.NAME=PATTERN", "runs of one configuration (checkpoints or outputs) as one system"),
        ("robustness=[all]", "typos, capitals and other text made worse, scored beside the plain text"),
        ("training=FILE", "source side of the training text: compares systems by the rarest word of a sentence too"),
        ("out=FOLDER", "where results and translations are written; null: printed alone"),
        *OPTIONS_OF_BOTH,
        ("data.KEY=VALUE", "other text than the saved one: data.test=PREFIX, +data.tests.NAME=PREFIX, data.dir=DIR"),
        ("metrics.KEY=VALUE", "other scoring than the saved one: metrics.bleu.tokenize=none"),
    ]
    return _page(
        "Score a system, or compare several with significance. A checkpoint needs nothing beside it.",
        "python evaluate.py checkpoint=FILE [KEY=VALUE ...]",
        [("Keys", keys), ("Flags", MORE_HELP)],
        [
            "python evaluate.py checkpoint=best.h5",
            "python evaluate.py checkpoint=best.h5 data.test=PREFIX out=FOLDER",
            "python evaluate.py 'checkpoint=[A.h5,B.h5]' +outputs.tool=FILE out=FOLDER",
            "python evaluate.py data.src=en data.tgt=de data.test=PREFIX +outputs.one=FILE +outputs.two=FILE",
        ],
    )


def translate_page() -> str:
    """The page of translate.py."""
    keys = [
        ("checkpoint=FILE", "the model; several ('[A.h5,B.h5]') translate as an ensemble"),
        (
            "format=text|json|pharaoh",
            "for each line a line of text, an object with scores, or text ||| alignment (text)",
        ),
        ("nbest=N", "translations a line, with format=json (1)"),
        ("input=FILE output=FILE", "in place of standard input and output; gzip where the name ends in .gz"),
        ("by_paragraph=true", "a line has several sentences"),
        ("glossary=FILE", "source term, tab, target term a line: the one in a sentence demands the other"),
        ("demands=FILE", 'an object a line: {"prefix": "Ein", "must": ["roter Hund"], "never": ["Katze"]}'),
        *OPTIONS_OF_BOTH,
        ("search.samples=N", "draws in place of a beam; search.mbr=METRIC takes the one that the others agree with"),
    ]
    return _page(
        "Translate standard input to standard output: one line out for each line in, always. Typed lines get a prompt.",
        "python translate.py checkpoint=FILE [KEY=VALUE ...] < IN > OUT",
        [("Keys", keys), ("Flags", MORE_HELP)],
        [
            "python translate.py checkpoint=best.h5 < in.en > out.de",
            "python translate.py checkpoint=best.h5 nbest=5 format=json < in.en",
            "python translate.py checkpoint=best.h5 'search.must=[heute]' 'search.never=[Hund]' < in.en",
        ],
    )


def score_page() -> str:
    """The page of scoring given translations."""
    keys = [
        ("checkpoint=FILE", "the model; several ('[A.h5,B.h5]') score as an ensemble"),
        ("source=FILE", "sentences, a line each"),
        ("target=FILE", "their translations, line by line"),
        ("format=text|json", "the score of each pair, or an object with pieces, probabilities and attention (text)"),
        *OPTIONS_OF_BOTH,
    ]
    return _page(
        "How likely a checkpoint finds given translations: a line for each pair, the likelier the higher.",
        "nmt score checkpoint=FILE source=FILE target=FILE [KEY=VALUE ...]",
        [("Keys", keys), ("Flags", MORE_HELP)],
        [
            "nmt score checkpoint=best.h5 source=in.en target=out.de",
            "nmt score checkpoint=best.h5 source=in.en target=out.de search.normalisation=none format=json",
        ],
    )


def shortlist_page() -> str:
    """The page of learning a shortlist."""
    keys = [
        ("checkpoint=FILE", "the model whose attention is learnt from"),
        ("source=FILE", "the training text, a line each"),
        ("target=FILE", "its translations, line by line"),
        ("output=FILE", "the file for search.shortlist"),
        ("pieces=N", "target pieces that go with a source piece, at most (20)"),
        ("frequent=N", "most frequent pieces, which any sentence may have (100)"),
        *OPTIONS_OF_BOTH[:2],
    ]
    return _page(
        "Learn which target pieces go with each source piece, so that a search need not look at the others.",
        "nmt shortlist checkpoint=FILE source=FILE target=FILE output=FILE [KEY=VALUE ...]",
        [("Keys", keys), ("Flags", [("--help all", EVERY_KEY)])],
        [
            "nmt shortlist checkpoint=best.h5 source=train.en target=train.de output=best.shortlist.json",
            "nmt translate checkpoint=best.h5 search.shortlist=best.shortlist.json < in.en > out.de",
        ],
    )


def export_page() -> str:
    """The page of the export."""
    keys = [
        ("checkpoint=FILE", "the model"),
        ("FOLDER", "where to, new or empty; out=FOLDER says the same"),
        ("licence=NAME", "of the model, for its card, as CC-BY-4.0"),
        *OPTIONS_OF_BOTH,
    ]
    return _page(
        "Write a SavedModel (encode, step, translate, greedy), a program that needs no nmt, and a model card.",
        "nmt export checkpoint=FILE [KEY=VALUE ...] FOLDER",
        [("Keys", keys), ("Flags", MORE_HELP)],
        ["nmt export checkpoint=best.h5 model-en-de", "python model-en-de/translate.py < in.en > out.de"],
    )


def augment_page() -> str:
    """The page of the loop that makes training text."""
    keys = [
        ("out=FOLDER", "where all stages and the text lie; the same command goes on there"),
        ("methods=[back,forward,diversify]", "what is made; diversify: translations of the training text, both ways"),
        ("back=beam|sampling|noised", "how back-translations are made"),
        ("models=N rounds=N", "of diversify: models in each direction (3), rounds (1)"),
        ("mono_tgt=FILE mono_src=FILE", "more sentences for back and forward; '[A,B]' or a pattern: several files"),
        ("tag=WORD", "before each back-translated source (<BT>); null: none"),
        ("min_score=X min_similarity=X", "what is kept: by log-probability a subword, by Word Mover's Distance"),
        ("upsample=N", "times that the real text stands in the sum (1)"),
        ("final=N", "models trained on the sum (1); 0: text alone"),
        ("jobs=N", "stages at once; by default one for each GPU, or one for every two cores"),
        ("dry_run=true", "list stages, sentences, expected time and price; run nothing"),
        ("experiment=RECIPE KEY=VALUE", "all that train.py takes: the corpus, and the recipe of every model"),
    ]
    return _page(
        "Train models both ways, translate with them, filter what they made, and train on the sum.",
        "nmt augment out=FOLDER [KEY=VALUE ...]",
        [("Keys", keys), ("Flags", MORE_HELP)],
        [
            "nmt augment out=FOLDER experiment=multi30k_tok data.dir=DIR methods=[diversify] dry_run=true",
            "nmt augment out=FOLDER methods=[back] back=sampling mono_tgt=news.de upsample=2",
        ],
    )


def serve_page() -> str:
    """The page of the service."""
    keys = [
        ("checkpoint=FILE", "the model; '[en-de.h5,de-en.h5]' serves several, A.h5+B.h5 is an ensemble"),
        ("host=ADDRESS", "127.0.0.1: this machine alone (the default); 0.0.0.0: whoever reaches it"),
        ("port=N", "5000, as LibreTranslate; 0: any that is free"),
        ("keys=FILE", "a key a line, one of which each request must have"),
        ("max_characters=N max_sentences=N", "of one request (5000, 1000); more are answered with 413"),
        ("queue=N", "sentences that may wait (4000); more are answered with 429"),
        ("batch=N at_once=N", "sentences translated together, at most (128); batches at once on a processor (2)"),
        ("wait_ms=N", "that a sentence waits for others to be translated with (5)"),
        ("cache=N", "recent translations that are remembered (10000)"),
        ("alternatives=N", "translations beside the best, at most (3)"),
        ("watch_s=X", "seconds between looks for a new checkpoint (2); 0: on SIGHUP alone"),
        *OPTIONS_OF_BOTH,
    ]
    return _page(
        "Serve checkpoints over HTTP: LibreTranslate's interface, /v1/translate, and a page at /.",
        "nmt serve checkpoint=FILE [KEY=VALUE ...]",
        [("Keys", keys), ("Flags", MORE_HELP)],
        ["nmt serve checkpoint=best.h5", "nmt serve 'checkpoint=[en-de.h5,de-en.h5]' port=8000"],
    )


def _page(purpose: str, usage: str, sections: Sequence[tuple[str, Meanings]], examples: Sequence[str]) -> str:
    lines = [purpose, "", f"  {usage}"]
    width = max(len(name) for _, rows in sections for name, _ in rows) + 2
    for title, rows in sections:
        lines += ["", f"{title}:", *(f"  {name:<{width}}{meaning}" for name, meaning in rows)]
    page = "\n".join([*lines, "", "Examples:", *(f"  {example}" for example in examples)])
    installed = not (CONFIGS.parent / "train.py").exists()
    return re.sub(r"(?:python )?(?<![/\w])(train|evaluate|translate)\.py", r"nmt \1", page) if installed else page
