"""Word Mover's Distance (Kusner et al. 2015) as a score of translations, a search, and an explanation.

    python -m nmt.metrics.wmd --hyp FILE --ref FILE --vectors FILE

What can be relied on is named here; docs/wmd.md shows how to use it.
"""

from nmt.metrics.wmd.bags import Bag, Bags, make_bags
from nmt.metrics.wmd.bounds import Bounds
from nmt.metrics.wmd.engine import pair_distances
from nmt.metrics.wmd.explain import TransportPlan, transport_plan
from nmt.metrics.wmd.metric import METRIC
from nmt.metrics.wmd.mover import SentenceScore, WmdScore, WordMover, wmd_similarity
from nmt.metrics.wmd.neighbours import NearestNeighbours, Neighbour, WordMoverIndex, nearest
from nmt.metrics.wmd.words import StopList, stop_list, tokens_of, vocabulary_of, words_for

__all__ = [
    "METRIC",
    "Bag",
    "Bags",
    "Bounds",
    "NearestNeighbours",
    "Neighbour",
    "SentenceScore",
    "StopList",
    "TransportPlan",
    "WmdScore",
    "WordMover",
    "WordMoverIndex",
    "make_bags",
    "nearest",
    "pair_distances",
    "stop_list",
    "tokens_of",
    "transport_plan",
    "vocabulary_of",
    "wmd_similarity",
    "words_for",
]
