"""How well Word Mover's Distance agrees with people, and tells captions of one image from those of another.

    python -m benchmarks.wmd_quality DATA [--plot FILE]

DATA holds sts/stsb-{en,de}-dev.csv.gz, multi30k/{train,captions_test_2016.1..5}.{en,de}.gz and
vectors/glove.6B.50d.first5k.txt.gz. Two questions, each asked of BLEU, chrF and WMD alike:

1. Spearman's rho between the score of a pair of sentences and its similarity as people judged it (STS benchmark, dev).
2. How often a caption scores higher against the four other captions of its own image than against four captions of
   another image (AUC over all such comparisons of scores: the chance that an own pair scores above a foreign one).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from scipy.stats import rankdata, spearmanr

from nmt.config.metrics import WmdConfig
from nmt.metrics.trained import train_vectors
from nmt.metrics.vectors import load_vectors
from nmt.metrics.wmd import WordMover, tokens_of, vocabulary_of

CFG = WmdConfig()
GLOVE = "vectors/glove.6B.50d.first5k.txt.gz"
# candidates, references of each -> a score for each
Scorer = Callable[[list[str], list[list[str]]], list[float]]


def lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return file.read().removesuffix("\n").split("\n")


def scorers(data: Path, language: str, texts: list[str]) -> dict[str, Scorer]:
    bleu, chrf = BLEU(effective_order=True), CHRF()
    sentences = [tokens_of(line, CFG) for line in lines(data / "multi30k" / f"train.{language}.gz")]
    tables = {"wmd_trained": train_vectors(sentences, CFG, seed=1)}
    if language == "en":
        tables["wmd_glove"] = load_vectors(data / GLOVE, vocabulary_of(texts, CFG, language))

    def by_sentence(metric: BLEU | CHRF) -> Scorer:
        return lambda hyps, refs: [metric.sentence_score(h, r).score for h, r in zip(hyps, refs, strict=True)]

    def by_wmd(mover: WordMover) -> Scorer:
        return lambda hyps, refs: mover.score(hyps, refs).similarities_N.tolist()

    movers = {name: by_wmd(WordMover(table, CFG, language)) for name, table in tables.items()}
    return {"bleu": by_sentence(bleu), "chrf": by_sentence(chrf), **movers}


def judgement(data: Path, language: str) -> dict[str, float]:
    with gzip.open(data / "sts" / f"stsb-{language}-dev.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    first, second = [row[0] for row in rows], [row[1] for row in rows]
    judged = [float(row[2]) for row in rows]
    return {
        name: float(spearmanr(score(first, [[text] for text in second]), judged).statistic)
        for name, score in scorers(data, language, first + second).items()
    }


def separation(data: Path, language: str) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """AUC of each score, and the scores behind it: own pairs first, foreign ones after."""
    columns = [lines(data / "multi30k" / f"captions_test_2016.{number}.{language}.gz") for number in range(1, 6)]
    images = list(zip(*columns, strict=True))
    shift = np.random.default_rng(1).integers(1, len(images), size=len(images)).tolist()
    hyps = [image[0] for image in images] * 2
    own = [list(image[1:]) for image in images]
    foreign = [list(images[(number + step) % len(images)][1:]) for number, step in enumerate(shift)]
    texts = [text for image in images for text in image]
    scores = {name: np.array(score(hyps, own + foreign)) for name, score in scorers(data, language, texts).items()}
    return {name: auc(values, len(images)) for name, values in scores.items()}, scores


def auc(values: np.ndarray, num_own: int) -> float:
    """Mann and Whitney's U over the number of comparisons; a tie counts a half."""
    ranks = rankdata(values)[:num_own]
    return float((ranks.sum() - num_own * (num_own + 1) / 2) / (num_own * (len(values) - num_own)))


def plot(scores: dict[str, np.ndarray], areas: dict[str, float], path: Path) -> None:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, values in scores.items():
        half = len(values) // 2
        limits = np.sort(np.unique(values))[::-1]
        own = [(values[:half] >= limit).mean() for limit in limits]
        foreign = [(values[half:] >= limit).mean() for limit in limits]
        axes.plot([0, *foreign], [0, *own], label=f"{name} {areas[name]:.3f}")
    axes.set(xlabel="foreign captions above the limit", ylabel="own captions above the limit", aspect="equal")
    axes.legend(title="AUC", loc="lower right")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--plot", type=Path, help="ROC curves of the English captions, .svg or .png")
    options = parser.parse_args()
    areas, scores = separation(options.data, "en")
    result = {
        "auc/en": areas,
        "auc/de": separation(options.data, "de")[0],
        "spearman/en": judgement(options.data, "en"),
        "spearman/de": judgement(options.data, "de"),
    }
    print(json.dumps(result, indent=2))
    if options.plot is not None:
        plot(scores, areas, options.plot)


if __name__ == "__main__":
    main()
