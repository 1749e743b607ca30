"""How fast Word Mover's Distance is here: against gensim in the same process, by the number of pairs, and in a search.

    OMP_NUM_THREADS=1 python -m benchmarks.wmd DATA [--large]

DATA holds multi30k/captions_test_2016.{1..5}.en.gz, each line n of them a caption of image n. Vectors are random, 300
numbers a word: speed does not depend on their values. Times are CPU seconds of one thread, the best of several runs, so
that other work on the machine changes them little; loaders are timed on the wall. --large adds the cases that take
minutes and a table of 480 MB.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from gensim.models import KeyedVectors

from nmt.config.metrics import WmdConfig
from nmt.metrics.vectors import WordVectors, load_vectors, word_vectors
from nmt.metrics.wmd import WordMover, WordMoverIndex, make_bags, pair_distances, vocabulary_of, words_for

CFG = WmdConfig()
DIMENSION = 300
Result = dict[str, float]


def captions(data: Path) -> list[list[str]]:
    """Five captions of each of 1,000 images."""
    columns = []
    for number in range(1, 6):
        with gzip.open(data / "multi30k" / f"captions_test_2016.{number}.en.gz", "rt", encoding="utf-8") as file:
            columns.append(file.read().removesuffix("\n").split("\n"))
    return [list(row) for row in zip(*columns, strict=True)]


def random_table(words: list[str]) -> WordVectors:
    generator = np.random.default_rng(0)
    return word_vectors(words, generator.normal(size=(len(words), DIMENSION)).astype(np.float32), "random")


def best_s(work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.thread_time) -> float:
    seconds = []
    for _ in range(repeats):
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)


def against_gensim(texts: list[tuple[str, str]], vectors: WordVectors, name: str) -> Result:
    """Pairs a second, bags ready on both sides."""
    words = [(words_for(a, CFG, "en"), words_for(b, CFG, "en")) for a, b in texts]
    table = KeyedVectors(DIMENSION)
    table.add_vectors(vectors.words, vectors.matrix_WD)
    bags = make_bags(itertools.chain(*words), vectors, CFG.norm)
    pairs = list(zip(bags.bags[::2], bags.bags[1::2], strict=True))
    sample = words[: max(1, len(words) // 4)]
    table.wmdistance(*sample[0])  # scales the vectors, once
    ours = len(pairs) / best_s(lambda: pair_distances(pairs, bags.vectors_VD), 7)
    theirs = len(sample) / best_s(lambda: [table.wmdistance(a, b) for a, b in sample], 3)
    difference = np.abs(
        pair_distances(pairs[: len(sample)], bags.vectors_VD) - [table.wmdistance(a, b) for a, b in sample]
    ).max()
    return {
        f"{name}/words_a_text": float(np.mean([bag.num_known for bag in bags.bags])),
        f"{name}/ours_pairs_per_s": ours,
        f"{name}/gensim_pairs_per_s": theirs,
        f"{name}/times_gensim": ours / theirs,
        f"{name}/largest_difference": float(difference),
    }


def whole_corpus(images: list[list[str]], vectors: WordVectors) -> Result:
    """5,000 candidates with 5 references each, from text to score."""
    candidates = [caption for image in images for caption in image]
    references = [images[(number + 1) % len(images)] for number, image in enumerate(images) for _ in image]
    mover = WordMover(vectors, CFG, "en")
    return {"corpus/5000x5_s": best_s(lambda: mover.score(candidates, references), 3)}


def growth(images: list[list[str]], vectors: WordVectors, sizes: list[int]) -> Result:
    """Cost of a pair as pairs grow, none of them solved twice."""
    texts = [words_for(caption, CFG, "en") for image in images for caption in image]
    bags = make_bags(texts, vectors, CFG.norm)
    generator = np.random.default_rng(1)
    result = {}
    for size in sizes:
        places = generator.integers(len(bags.bags), size=(size, 2)).tolist()
        pairs = [(bags.bags[a], bags.bags[b]) for a, b in places]
        result[f"growth/us_a_pair_of_{size}"] = (
            best_s(lambda p=pairs: pair_distances(p, bags.vectors_VD), 1) / size * 1e6
        )
    return result


def search(images: list[list[str]], vectors: WordVectors, num_queries: int) -> Result:
    """Top 20 among 5,000 captions."""
    index = WordMoverIndex([caption for image in images for caption in image], vectors, CFG, "en")
    seconds = best_s(lambda: [index.nearest(image[0], 20) for image in images[:num_queries]], 1)
    return {
        "search/ms_a_query": seconds / num_queries * 1e3,
        "search/solves_avoided_pct": 100 * (1 - index.num_solved / (num_queries * 5 * len(images))),
    }


def loading(num_words: int, folder: Path) -> Result:
    """A table of which 10,000 words are needed, against gensim's loader, which has no choice but to read all."""
    words = [f"word{number}" for number in range(num_words)]
    table = KeyedVectors(DIMENSION)
    table.add_vectors(words, random_table(words).matrix_WD)
    result = {}
    for name, binary in (("binary", True), ("text", False)):
        path = folder / name
        table.save_word2vec_format(str(path), binary=binary)
        ours = best_s(lambda p=path: load_vectors(p, words[:: num_words // 10_000]), 3, time.perf_counter)
        theirs = best_s(
            lambda p=path, b=binary: KeyedVectors.load_word2vec_format(str(p), binary=b), 2, time.perf_counter
        )
        result |= {f"loading/{name}_s": ours, f"loading/{name}_times_gensim": theirs / ours}
        path.unlink()
    return result


def memory(images: list[list[str]]) -> Result:
    """Peak of 100,000 pairs beside a whole table of 400,000 x 300. Run it alone: a peak does not go down."""
    words = sorted(vocabulary_of(itertools.chain(*images), CFG, "en"))
    words += [f"word{number}" for number in range(400_000 - len(words))]
    mover = WordMover(random_table(words), CFG, "en")
    texts = [caption for image in images for caption in image]
    generator = np.random.default_rng(2)
    first, second = generator.integers(len(texts), size=(2, 100_000)).tolist()
    mover.score([texts[place] for place in first], [[texts[place]] for place in second])
    return {"memory/peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    images = captions(options.data)
    vectors = random_table(sorted(vocabulary_of(itertools.chain(*images), CFG, "en")))
    result: Result = memory(images) if options.large else {}
    result |= against_gensim([(image[a], image[a + 1]) for a in (0, 2) for image in images], vectors, "captions")
    joined = [" ".join(image) for image in images]
    result |= against_gensim(list(itertools.pairwise(joined[:301])), vectors, "five_captions")
    result |= whole_corpus(images, vectors)
    result |= growth(images, vectors, [1_000, 10_000, 100_000, *([1_000_000] if options.large else [])])
    result |= search(images, vectors, 1_000 if options.large else 100)
    with tempfile.TemporaryDirectory() as folder:
        result |= loading(200_000 if options.large else 20_000, Path(folder))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
