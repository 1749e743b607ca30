"""How fast Word Mover's Distance is here: beside gensim in the same process, by the number of pairs, and in a search.

    OMP_NUM_THREADS=1 python -m benchmarks.wmd --data DIR [--only CASE ...]

DIR holds Multi30k's captions_test_2016.{1..5}.en.gz, each line n of them a caption of image n. Vectors are random, 300
numbers a word: speed does not depend on their values. Times are medians of turns that ours and theirs take one after
the other: seconds of the processor for pairs of texts, where both compute on one thread, else seconds on the wall.
Peaks of memory are those of processes that do nothing else, Python and libraries (some 150 MB) included. All cases take
some seven minutes, most of them gensim's reading of text, and 1.3 GB in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from gensim.models import KeyedVectors

from benchmarks import harness
from nmt.config.metrics import WmdConfig
from nmt.metrics.vectors import WordVectors, load_vectors, open_vectors, word_vectors
from nmt.metrics.wmd import WordMover, WordMoverIndex, make_bags, pair_distances, vocabulary_of, words_for
from nmt.metrics.wmd.engine import stacked_distances

CFG = WmdConfig()
DIMENSION = 300
Result = dict[str, float]


def captions(data: Path) -> list[list[str]]:
    """Five captions of each of 1,000 images."""
    columns = []
    for number in range(1, 6):
        with gzip.open(data / f"captions_test_2016.{number}.en.gz", "rt", encoding="utf-8") as file:
            columns.append(file.read().removesuffix("\n").split("\n"))
    return [list(row) for row in zip(*columns, strict=True)]


def vectors_of(images: list[list[str]]) -> WordVectors:
    return random_table(sorted(vocabulary_of(itertools.chain(*images), CFG, "en")))


def random_table(words: list[str]) -> WordVectors:
    generator = np.random.default_rng(0)
    return word_vectors(words, generator.normal(size=(len(words), DIMENSION)).astype(np.float32), "random")


def turns_s(turns: int, *works: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Median seconds of each piece of work; they take turns, so that all meet the same machine."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(turns):
        for work, found in zip(works, seconds, strict=True):
            start = clock()
            work()
            found.append(clock() - start)
    return [statistics.median(found) for found in seconds]


def in_process(work: Callable[..., Result], *arguments: object) -> Result:
    """The result of `work` in a process of its own, with its peak of memory."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        result = pool.submit(work, *arguments).result()
        peak = pool.submit(_peak_gb).result()
    return {**result, f"{next(iter(result)).rpartition('/')[0]}/peak_gb": peak}


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def against_gensim(texts: list[tuple[str, str]], vectors: WordVectors, name: str) -> Result:
    """Pairs a second, bags ready on both sides; gensim on a quarter of the pairs."""
    words = [(words_for(a, CFG, "en"), words_for(b, CFG, "en")) for a, b in texts]
    table = KeyedVectors(DIMENSION)
    table.add_vectors(vectors.words, vectors.matrix_WD)
    bags = make_bags(itertools.chain(*words), vectors, CFG.norm)
    first_P, second_P = np.array([bag.identity for bag in bags.bags]).reshape(-1, 2).T
    ours_P = partial(stacked_distances, bags.stack, first_P, second_P, bags.vectors_VD)
    sample = words[::4]
    theirs_P = [table.wmdistance(a, b) for a, b in sample]  # scales the vectors, once
    ours_s, theirs_s = turns_s(
        15,
        ours_P,
        lambda: [table.wmdistance(a, b) for a, b in sample],
        clock=time.thread_time,
    )
    ours, theirs = len(first_P) / ours_s, len(sample) / theirs_s
    difference = np.abs(ours_P()[::4] - theirs_P).max()
    return {
        f"{name}/pairs": len(first_P),
        f"{name}/words_a_text": float(np.mean([bag.num_known for bag in bags.bags])),
        f"{name}/ours_pairs_per_s": ours,
        f"{name}/gensim_pairs_per_s": theirs,
        f"{name}/times_gensim": ours / theirs,
        f"{name}/largest_difference": float(difference),
    }


def pairs_of_captions(images: list[list[str]]) -> Result:
    """2,000 pairs of captions of one image; and images beside the next, by all five captions."""
    table = vectors_of(images)
    result = against_gensim([(image[a], image[a + 1]) for a in (0, 2) for image in images], table, "captions")
    joined = [" ".join(image) for image in images]
    return result | against_gensim(list(itertools.pairwise(joined)), table, "five_captions")


def whole_corpus(images: list[list[str]]) -> Result:
    """5,000 candidates with 5 references each, from text to score; the first time, when no text is known."""
    candidates = [caption for image in images for caption in image]
    references = [images[(number + 1) % len(images)] for number, image in enumerate(images) for _ in image]
    mover = WordMover(vectors_of(images), CFG, "en")
    work = partial(mover.score, candidates, references)
    return {"corpus/5000x5_first_s": turns_s(1, work)[0], "corpus/5000x5_again_s": turns_s(5, work)[0]}


def growth(images: list[list[str]]) -> Result:
    """Cost of a pair as pairs grow."""
    return {
        key: value
        for size in (1_000, 10_000, 100_000, 1_000_000)
        for key, value in in_process(distances_of, images, size).items()
    }


def distances_of(images: list[list[str]], size: int) -> Result:
    bags = make_bags(
        [words_for(caption, CFG, "en") for image in images for caption in image], vectors_of(images), CFG.norm
    )
    places = np.random.default_rng(1).integers(len(bags.bags), size=(size, 2)).tolist()
    pairs = [(bags.bags[a], bags.bags[b]) for a, b in places]
    (seconds,) = turns_s(5 if size < 1_000_000 else 1, lambda: pair_distances(pairs, bags.vectors_VD))
    return {f"growth/{size}/s": seconds, f"growth/{size}/us_a_pair": seconds / size * 1e6}


def search(images: list[list[str]]) -> Result:
    """Top 20 among 5,000 captions, 1,000 times."""
    index = WordMoverIndex([caption for image in images for caption in image], vectors_of(images), CFG, "en")
    (seconds,) = turns_s(1, lambda: [index.nearest(image[0], 20) for image in images])
    return {
        "search/ms_a_query": seconds / len(images) * 1e3,
        "search/solves_avoided_pct": 100 * (1 - index.num_solved / (5 * len(images) ** 2)),
    }


def write_table(path: Path, words: list[str], binary: bool) -> None:
    """word2vec's binary form, or GloVe's text. Rows repeat after a thousand."""
    rows_WD = np.random.default_rng(0).normal(size=(1_000, DIMENSION)).astype(np.float32)
    if binary:
        rows = [row_D.tobytes() for row_D in rows_WD]
    else:
        rows = [" ".join(f"{value:.5f}" for value in row_D.tolist()).encode() + b"\n" for row_D in rows_WD]
    with path.open("wb") as file:
        if binary:
            file.write(f"{len(words)} {DIMENSION}\n".encode())
        file.writelines(word.encode() + b" " + rows[number % 1_000] for number, word in enumerate(words))


def loading(images: list[list[str]]) -> Result:
    """A table of 200,000 x 300 of which 10,000 words are needed; gensim's loader has no choice but to read all."""
    words = [f"word{number}" for number in range(200_000)]
    result: Result = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, binary, turns in (("binary", True, 7), ("text", False, 5)):
            path = Path(folder) / name
            write_table(path, words, binary)
            read = partial(KeyedVectors.load_word2vec_format, str(path), binary=binary, no_header=not binary)
            load = partial(load_vectors, path, words[::20])
            ours, hashed, opened, theirs = turns_s(
                turns,
                load,
                lambda f=load: f().sha256,  # type: ignore[misc]
                partial(open_vectors, path),
                read,
            )
            result |= {
                f"loading/{name}/s": ours,
                f"loading/{name}/with_sha256_s": hashed,
                f"loading/{name}/open_vectors_s": opened,
                f"loading/{name}/gensim_s": theirs,
                f"loading/{name}/times_gensim": theirs / ours,
            }
            path.unlink()
    return result


def memory(images: list[list[str]]) -> Result:
    """100,000 pairs beside a table of 400,000 x 300: all of it loaded, the words that are needed, or opened."""
    words = sorted(vocabulary_of(itertools.chain(*images), CFG, "en"))
    words += [f"word{number}" for number in range(400_000 - len(words))]
    result: Result = {}
    with tempfile.TemporaryDirectory() as folder:
        for form, binary in (("binary", True), ("text", False)):
            path = Path(folder) / form
            write_table(path, words, binary)
            for way in ("all", "needed", "opened"):
                result |= in_process(score_with, images, path, f"memory/{form}/{way}")
            path.unlink()
    return result


def score_with(images: list[list[str]], path: Path, name: str) -> Result:
    texts = [caption for image in images for caption in image]
    first, second = np.random.default_rng(2).integers(len(texts), size=(2, 100_000)).tolist()
    start = time.perf_counter()
    way = name.rpartition("/")[2]
    needed = vocabulary_of(texts, CFG, "en") if way == "needed" else None
    mover = WordMover(open_vectors(path) if way == "opened" else load_vectors(path, needed), CFG, "en")
    mover.score([texts[place] for place in first], [[texts[place]] for place in second])
    return {f"{name}/s": time.perf_counter() - start}


CASES: dict[str, Callable[[list[list[str]]], Result]] = {
    "captions": pairs_of_captions,
    "corpus": whole_corpus,
    "search": search,
    "loading": loading,
    "growth": growth,
    "memory": memory,
}


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder of Multi30k with its five captions an image")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    options = parser.parse_args()
    described = harness.about(options.noisy)
    images = captions(options.data)
    result: Result = {}
    tables = []
    for case in options.only:
        found = CASES[case](images)
        result |= found
        tables.append(harness.Table(case, ("", ""), [(key, shown(value)) for key, value in found.items()]))
    libraries = ", ".join(f"{name} {version(name)}" for name in ("gensim", "pot", "scipy", "sacrebleu"))
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    harness.finish("wmd", tables, described, result, [f"{libraries}. OMP_NUM_THREADS={threads}."], options.write)


if __name__ == "__main__":
    main()
