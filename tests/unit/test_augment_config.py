"""The command line of nmt augment: each option's values, and the sentences of its mistakes."""

from __future__ import annotations

import shlex

import pytest

from nmt.config.augment import AugmentConfig, Back, read_augment
from nmt.errors import ConfigError
from nmt.programs import main


def test_our_words_are_ours_and_the_others_are_the_recipe():
    command = read_augment(
        [
            *("out=runs/a", "methods=[back,forward,diversify]", "back=noised", "models=2", "teachers=4", "rounds=3"),
            *(
                "tag=null",
                "drop=0.2",
                "blank=0",
                "shuffle=0",
                "filler=_",
                'translate="search.beam=2 search.alpha=1"',
                "part=10",
            ),
            *(
                "min_score=-2",
                "min_similarity=0.5",
                "vectors_src=s.txt",
                "vectors_tgt=t.txt",
                "upsample=2",
                "gzip=true",
            ),
            *(
                'final_words="train.max_steps=9 model.units=8"',
                "final=2",
                "jobs=1",
                "dry_run=true",
                "train_tokens_per_s=4000",
                "translate_words_per_s=900",
            ),
            *(
                "mono_src=a.en",
                "mono_tgt=[a.de,b.de]",
                "experiment=tiny_sweep",
                "+data.tests.more=P",
                "--config-dir=own",
            ),
        ]
    )
    assert command == AugmentConfig(
        *(
            "runs/a",
            ["back", "forward", "diversify"],
            Back.noised,
            2,
            4,
            3,
            ["a.en"],
            ["a.de", "b.de"],
            None,
            0.2,
            0,
            0,
            "_",
        ),
        *("search.beam=2 search.alpha=1", 10, -2, 0.5, "s.txt", "t.txt", 2, True, 2),
        *("train.max_steps=9 model.units=8", 1, True, 4000, 900),
        ["experiment=tiny_sweep", "+data.tests.more=P"],
        ["--config-dir=own"],
    )


def test_a_pattern_is_the_files_that_it_matches(tmp_path):
    for name in ("b.de", "a.de", "a.en"):
        (tmp_path / name).touch()
    command = read_augment(["out=o", "methods=[back]", f"mono_tgt={tmp_path}/*.de"])
    assert command.mono_tgt == [f"{tmp_path}/a.de", f"{tmp_path}/b.de"]


@pytest.mark.parametrize(
    "words, sentence",
    [
        ("", "out: found nothing, expected a folder; write out=FOLDER."),
        (
            "out=o methods=[back,front]",
            "methods: found [back,front], expected some of back, forward, diversify, each at most once; "
            "write methods=[diversify].",
        ),
        ("out=o back=beem", "back: found beem, expected one of beam, sampling, noised; did you mean beam."),
        ("out=o back=noised", "back: found noised, expected back among methods beside it; add that, or leave it out."),
        ("out=o drop=0.2", "drop: found 0.2, expected back=noised beside it; add that, or leave it out."),
        ("out=o methods=[back] rounds=2", "rounds: found 2, expected diversify among methods beside it; add that, or "
         "leave it out."),
        ("out=o mono_src=f", "mono_src: found [f], expected forward among methods beside it; add that, or "
         "leave it out."),
        ("out=o final=0 final_words=model.units=8", "final_words: found model.units=8, expected final models (final=1) "
         "beside it; add that, or leave it out."),
        *((f'out=o "final_words={word}"', f"final_words: found {told}, expected words of train.py with a blank between "
           "them, none of the text, the seed or the folder; write "
           'final_words="train.max_steps=20000 model.units=512".')
          for word, told in (("model.units=8 seed=3", "seed=3"), ("data.train=P", "data.train=P"), ("units", "units"),
                             ("+data.tests.x=P", "+data.tests.x=P"), ("resume=R", "resume=R"), ("--help=x", "--help=x"),
                             ("sweep=grid", "sweep=grid"), ("x='", "x='"))),
        ("out=o teachers=2", "teachers: found 2, expected forward among methods beside it; add that, or leave it out."),
        ("out=o methods=[forward] teachers=0", "teachers: found 0, expected at least 1; 1 is one model alone."),
        ("out=o methods=[back] vectors_tgt=f min_similarity=0.5", "vectors_tgt: found f, expected forward of the "
         "training text among methods beside it; add that, or leave it out."),
        ("out=o models=0", "models: found 0, expected at least 1; 3 is usual, 1 is the least."),
        ("out=o methods=[back] 'tag=a b'", "tag: found 'a b', expected one word; leave out the white space."),
        ("out=o min_score=1", "min_score: found 1.0, expected at most 0, or null to keep all; -2 leaves out what the "
         "model itself finds unlikely."),
        ("out=o min_similarity=0.5", "min_similarity: found 0.5, expected word vectors beside it; add vectors_src=FILE "
         "for back-translations, vectors_tgt=FILE for forward translations."),
        ("out=o vectors_tgt=f", "vectors_src, vectors_tgt: found f, expected min_similarity beside it; "
         "add min_similarity=0.5."),
        ("out=o vectors_tgt=nowhere min_similarity=0.5", "nowhere: found no such file or directory, expected a file "
         "that can be read; name a file that is there and whole."),
        ("out=o metods=[back]", "metods: found no option of this name, expected an option or a group of options; "
         "did you mean methods."),
        ("out=o --models=2", "--models=2: found an unknown option with dashes, expected KEY=VALUE; write models=2."),
        ("out=o resume=r", "resume: found r, expected no such word: each stage has its own folder and begins at its "
         "own seed; leave it out; the same command goes on where it was."),
        ("out=o -m", "nmt augment: found a flag of train.py, expected words; leave it out."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(words, sentence, capsys):
    assert main(["augment", *shlex.split(words)]) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


@pytest.mark.parametrize("word", ["translate=search.beam=2 search.seed=3", "translate='search.beam=2 search.seed=3'"])
def test_words_of_the_search_need_no_quotes_beside_those_of_the_shell(word):
    assert read_augment(["out=o", word]).translate == "search.beam=2 search.seed=3"


def test_a_word_needs_no_quotes_for_what_it_is_made_of():
    command = read_augment(["out=o", "methods=[back]", "back=noised", "tag=<SYN>", "filler=<X>"])
    assert (command.tag, command.filler) == ("<SYN>", "<X>")


def test_a_mono_pattern_without_a_file_is_told():
    with pytest.raises(ConfigError, match=r"mono_tgt: found no file that matches nowhere/\*"):
        read_augment(["out=o", "methods=[back]", "mono_tgt=nowhere/*"])


def test_help_shows_the_page_and_every_option(capsys):
    assert main(["augment", "--help"]) == 0
    assert "nmt augment out=FOLDER" in capsys.readouterr().out
    assert main(["augment", "--help", "all"]) == 0
    told = capsys.readouterr().out
    assert "min_score=null" in told
    assert "train.max_steps=400" in told
