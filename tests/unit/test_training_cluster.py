"""TF_CONFIG: what is read from it, and the sentence for each way to get it wrong."""

from __future__ import annotations

import json

import pytest

from nmt.errors import DeviceError
from nmt.training.cluster import EXAMPLE, Cluster, read_cluster

TWO = ["10.0.0.1:2222", "b.example:2222"]


def config(cluster=None, task=None) -> str:
    return json.dumps({"cluster": cluster or {"worker": TWO}, "task": task or {"type": "worker", "index": 0}})


def test_workers_and_which_of_them_this_is():
    first = read_cluster(config())
    assert first == Cluster(tuple(TWO), 0)
    assert first.is_chief
    second = read_cluster(config(task={"type": "worker", "index": 1}))
    assert (second.index, second.is_chief) == (1, False)
    assert read_cluster(config({"worker": ["[::1]:2222"]})).workers == ("[::1]:2222",)


def test_a_chief_is_the_first_worker():
    cluster = {"worker": TWO, "chief": ["a:1"]}
    assert read_cluster(config(cluster, {"type": "chief", "index": 0})) == Cluster(("a:1", *TWO), 0)
    assert read_cluster(config(cluster, {"type": "worker", "index": 1})) == Cluster(("a:1", *TWO), 2)


MISTAKES = {
    None: ("no TF_CONFIG", "it in the environment of every worker"),
    "": ("no TF_CONFIG", "it in the environment of every worker"),
    "{": (
        "a TF_CONFIG that is not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))",
        "an object with cluster and task",
    ),
    "[]": ("a TF_CONFIG without cluster", "an object with cluster and task"),
    '{"cluster": ["a:1"]}': ("a TF_CONFIG without cluster", "an object with cluster and task"),
    config({"worker": TWO, "ps": ["c:1"]}): ("the job 'ps' in TF_CONFIG", "the jobs worker and chief alone"),
    config({"worker": "a:1"}): (
        "a cluster in TF_CONFIG whose jobs are not lists of addresses",
        "HOST:PORT of each worker in a list",
    ),
    config({"chief": ["a:1", "b:1"]}): ("2 chiefs in TF_CONFIG", "one at most"),
    json.dumps({"cluster": {"worker": TWO}}): (
        "a TF_CONFIG without the index of its task",
        'a task such as {"type": "worker", "index": 0}',
    ),
    config(task={"type": "worker", "index": "0"}): (
        "a TF_CONFIG without the index of its task",
        'a task such as {"type": "worker", "index": 0}',
    ),
    config(task={"type": "ps", "index": 0}): ("a task of type 'ps' in TF_CONFIG", "worker or chief"),
    config(task={"type": "worker", "index": 2}): (
        "task index 2 in TF_CONFIG",
        "one of the 2 workers that its cluster names",
    ),
    config({"worker": ["a:1", "b"]}): ("the worker 'b' in TF_CONFIG", "HOST:PORT"),
    config({"worker": ["a:1", "b:0"]}): ("the worker 'b:0' in TF_CONFIG", "HOST:PORT"),
    config({"worker": ["a:1", "http://b:1"]}): ("the worker 'http://b:1' in TF_CONFIG", "HOST:PORT"),
    config({"worker": ["a:1", "a:1"]}): (
        "the worker 'a:1' twice in TF_CONFIG",
        "an address of its own for each worker",
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_each_mistake_has_its_sentence(text):
    found, expected = MISTAKES[text]
    with pytest.raises(DeviceError) as caught:
        read_cluster(text)
    assert str(caught.value) == (
        f"train.distribution=multi_worker: found {found}, expected {expected}; start every worker with {EXAMPLE}, "
        "or use train.distribution=one."
    )
