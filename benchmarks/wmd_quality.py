"""How well Word Mover's Distance agrees with people, and tells captions of one image from those of another.

    python -m benchmarks.wmd_quality --data DIR [--plot FILE]

DIR holds sts/stsb-{en,de}-dev.csv.gz, multi30k/{train,captions_test_2016.1..5}.{en,de}.gz and
vectors/glove.6B.50d.first5k.txt.gz. Two questions, each asked of BLEU, chrF and WMD alike:

1. Spearman's rho between the score of a pair of sentences and its similarity as people judged it (STS benchmark, dev).
2. How often a caption scores higher against the four other captions of its own image than against four captions of
   another image (AUC over all such comparisons of scores: the chance that an own pair scores above a foreign one).
   Each of the five captions of each of 1,000 images is asked, against its own image and against a partner that its
   image has by chance.

Which words WMD drops was once chosen by AUC on these captions. So 2 is asked in two more ways. By a paired bootstrap:
the interval of the difference between WMD's AUC and that of BLEU or chrF when pairs of partners are drawn anew. And as
if the choice were made again, often: of four to six ways to drop words, the one that is best on a random half of the
images is taken to the other half, and compared there.

    P pair of images, C caption of either image, K resample or split
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import stop_words
from matplotlib.figure import Figure
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from scipy.stats import spearmanr

from nmt.config.metrics import WmdConfig
from nmt.metrics.bootstrap import percentile_interval, resample_counts
from nmt.metrics.trained import train_vectors
from nmt.metrics.vectors import WordVectors, load_vectors
from nmt.metrics.wmd import WordMover, make_bags, pair_distances, stop_list, tokens_of, vocabulary_of

CFG = WmdConfig()
GLOVE = "vectors/glove.6B.50d.first5k.txt.gz"
RESAMPLES, SPLITS, SEED = 2000, 500, 1
# candidates, references of each -> a score for each
Scorer = Callable[[list[str], list[list[str]]], list[float]]
Rule = Callable[[str], bool]  # whether a token is dropped
Scores = tuple[np.ndarray, np.ndarray]  # own_PC, foreign_PC


def lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return file.read().removesuffix("\n").split("\n")


def tables(data: Path, language: str, texts: list[str]) -> dict[str, WordVectors]:
    sentences = [tokens_of(line, CFG, language) for line in lines(data / "multi30k" / f"train.{language}.gz")]
    found = {"wmd_trained": train_vectors(sentences, CFG, seed=SEED)}
    if language == "en":
        found["wmd_glove"] = load_vectors(data / GLOVE, vocabulary_of(texts, CFG, language))
    return found


def scorers(data: Path, language: str, texts: list[str]) -> dict[str, Scorer]:
    bleu, chrf = BLEU(effective_order=True), CHRF()

    def by_sentence(metric: BLEU | CHRF) -> Scorer:
        return lambda hyps, refs: [metric.sentence_score(h, r).score for h, r in zip(hyps, refs, strict=True)]

    def by_wmd(mover: WordMover) -> Scorer:
        return lambda hyps, refs: mover.score(hyps, refs).similarities_N.tolist()

    movers = {name: by_wmd(WordMover(table, CFG, language)) for name, table in tables(data, language, texts).items()}
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


def questions(data: Path, language: str) -> tuple[list[str], list[list[str]]]:
    """Candidates and references: all own ones, pair by pair, then all foreign ones in the same order."""
    columns = [lines(data / "multi30k" / f"captions_test_2016.{number}.{language}.gz") for number in range(1, 6)]
    images = list(zip(*columns, strict=True))
    shuffled = np.random.default_rng(SEED).permutation(len(images)).reshape(-1, 2).tolist()
    asked = [(own, other, c) for pair in shuffled for own, other in (pair, pair[::-1]) for c in range(5)]
    hyps = [images[own][c] for own, _, c in asked]
    own = [[*images[own][:c], *images[own][c + 1 :]] for own, _, c in asked]
    foreign = [[*images[other][:c], *images[other][c + 1 :]] for _, other, c in asked]
    return hyps * 2, own + foreign


def halves(values: list[float]) -> Scores:
    own_PC, foreign_PC = np.array(values).reshape(2, -1, 10)
    return own_PC, foreign_PC


def auc(scores: Scores, weight_KP: np.ndarray) -> np.ndarray:
    """auc_K with each pair of images counted so often: Mann and Whitney's U over the number of comparisons.

    A tie counts a half.
    """
    own_PC, foreign_PC = scores
    _, rank = np.unique(np.concatenate([own_PC.ravel(), foreign_PC.ravel()]), return_inverse=True)
    own, foreign = rank[: own_PC.size], rank[own_PC.size :]
    found = []
    for weight_P in weight_KP:
        weights = np.repeat(weight_P, own_PC.shape[1])
        at = np.bincount(foreign, weights, minlength=rank.max() + 1)
        below = np.cumsum(at) - at / 2
        found.append((weights * below[own]).sum() / weights.sum() ** 2)
    return np.array(found)


def wins(scores: Scores) -> float:
    """How often a caption scores higher against its own image than against its partner; a tie counts a half."""
    own_PC, foreign_PC = scores
    return float((own_PC > foreign_PC).mean() + (own_PC == foreign_PC).mean() / 2)


def rules(language: str) -> dict[str, Rule]:
    """Ways to drop words; the first is the default. `long`: the whole English list of the package stop-words."""
    lists = {"list": stop_list(language, language).words, "no list": frozenset()}
    if language == "en":
        lists["long list"] = frozenset(stop_words.get_stop_words("en"))
    found: dict[str, Rule] = {}
    for name, words in lists.items():
        found[f"{name}, no marks"] = lambda t, w=words: t in w or not any(map(str.isalnum, t))  # type: ignore[misc]
        found[f"{name}, marks"] = lambda t, w=words: t in w  # type: ignore[misc]
    return found


def similarities(hyps: list[str], refs: list[list[str]], vectors: WordVectors, drops: Rule) -> list[float]:
    texts = list(dict.fromkeys([*hyps, *chain.from_iterable(refs)]))
    words = [[token for token in tokens_of(text, CFG, "en") if not drops(token)] for text in texts]
    bags = make_bags(words, vectors, CFG.norm)
    of = dict(zip(texts, bags.bags, strict=True))
    pairs = [(of[h], of[r]) for h, several in zip(hyps, refs, strict=True) for r in several]
    known = [place for place, (a, b) in enumerate(pairs) if a.num_known and b.num_known]
    distance_P = np.full(len(pairs), np.inf)
    distance_P[known] = pair_distances([pairs[place] for place in known], bags.vectors_VD)
    return [float(one) for one in np.exp(-distance_P.reshape(len(hyps), 4).min(axis=1))]


def separation(data: Path, language: str) -> tuple[dict[str, object], dict[str, Scores]]:
    hyps, refs = questions(data, language)
    scores = {name: halves(score(hyps, refs)) for name, score in scorers(data, language, hyps).items()}
    once_1P = np.ones((1, len(scores["chrf"][0])))
    result: dict[str, object] = {name: float(auc(found, once_1P)[0]) for name, found in scores.items()}
    count_KP = np.concatenate(list(resample_counts(once_1P.shape[1], RESAMPLES, SEED)))
    drawn = {name: auc(found, count_KP) for name, found in scores.items()}
    for rival in ("bleu", "chrf"):
        for name in scores.keys() - {"bleu", "chrf"}:
            interval = percentile_interval(drawn[name] - drawn[rival], 0.95)
            result[f"{name} - {rival}, 95 %"] = [interval.low, interval.high]
    trained = tables(data, language, hyps)["wmd_trained"]
    ways = {name: halves(similarities(hyps, refs, trained, rule)) for name, rule in rules(language).items()}
    np.testing.assert_allclose(next(iter(ways.values())), scores["wmd_trained"], atol=1e-12)
    for c in range(5):
        one = {name: (own[:, c::5], foreign[:, c::5]) for name, (own, foreign) in scores.items()}
        result[f"caption {c + 1} alone"] = {name: float(auc(found, once_1P)[0]) for name, found in one.items()}
    result["own above foreign, caption by caption"] = {name: wins(found) for name, found in scores.items()}
    result["ways to drop words"] = {name: float(auc(found, once_1P)[0]) for name, found in ways.items()}
    result["chosen on a half, asked on the other"] = held_out(ways, scores["bleu"], scores["chrf"])
    return result, scores


def held_out(ways: dict[str, Scores], bleu: Scores, chrf: Scores) -> dict[str, object]:
    generator = np.random.default_rng(SEED)
    num = len(chrf[0])
    here_KP = np.stack([generator.permutation(num) < num // 2 for _ in range(SPLITS)]).astype(float)
    on_here = np.stack([auc(found, here_KP) for found in ways.values()])
    on_other = np.stack([auc(found, 1 - here_KP) for found in ways.values()])
    best_K = on_here.argmax(axis=0)
    there_K = on_other[best_K, np.arange(SPLITS)]
    result: dict[str, object] = {
        "splits": SPLITS,
        "chosen": dict(Counter(list(ways)[best] for best in best_K.tolist()).most_common()),
        "auc": float(there_K.mean()),
    }
    for name, rival in (("bleu", auc(bleu, 1 - here_KP)), ("chrf", auc(chrf, 1 - here_KP))):
        result[f"auc of {name}"] = float(rival.mean())
        result[f"above {name}"] = float((there_K > rival).mean())
        result[f"least lead over {name}"] = float((there_K - rival).min())
    return result


def plot(scores: dict[str, Scores], areas: dict[str, object], path: Path) -> None:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, (own_PC, foreign_PC) in scores.items():
        limits = np.unique(np.concatenate([own_PC.ravel(), foreign_PC.ravel()]))[::-1]
        own = 1 - np.searchsorted(np.sort(own_PC.ravel()), limits) / own_PC.size
        foreign = 1 - np.searchsorted(np.sort(foreign_PC.ravel()), limits) / foreign_PC.size
        shown = np.linspace(0, len(limits) - 1, 400).astype(int)  # as fine as a picture shows
        axes.plot([0, *foreign[shown]], [0, *own[shown]], label=f"{name} {areas[name]:.3f}")
    axes.set(xlabel="foreign captions above the limit", ylabel="own captions above the limit", aspect="equal")
    axes.legend(title="AUC", loc="lower right")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--plot", type=Path, help="ROC curves of the English captions, .svg or .png")
    options = parser.parse_args()
    english, scores = separation(options.data, "en")
    result = {
        "auc/en": english,
        "auc/de": separation(options.data, "de")[0],
        "spearman/en": judgement(options.data, "en"),
        "spearman/de": judgement(options.data, "de"),
    }
    print(json.dumps(result, indent=2))
    if options.plot is not None:
        plot(scores, english, options.plot)


if __name__ == "__main__":
    main()
