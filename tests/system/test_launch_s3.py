"""A run's second home in S3: put from here and from the machine, brought back whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.config.launch_line import read_launch
from nmt.errors import LaunchError
from nmt.launch.agent.supervisor import upload
from nmt.launch.assignment import Assignment
from nmt.launch.aws import connect
from nmt.launch.relaunch import going_on
from nmt.launch.s3 import pull, push, signed, store_of
from tests.system.aws_client import account, words
from tests.system.aws_requests import SECRET
from tests.system.aws_server import running_aws
from tests.system.aws_unkind import KIND, UNKIND, Nature, RealClock

PACES = {"kind": KIND, "unkind": replace(UNKIND, throttled_each=2)}


@pytest.fixture(params=PACES.values(), ids=list(PACES))
def store(tmp_path, monkeypatch, request):
    """Of the run `box-1` under s3://checkpoints/mine, whose bucket is there; unkind: each second request is refused."""
    account(monkeypatch, tmp_path)
    monkeypatch.setattr("nmt.launch.agent.supervisor.PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0)
    with running_aws(Nature(RealClock(), request.param)) as aws:
        config, _ = read_launch(words(aws, "launch.s3=s3://checkpoints/mine/"))
        place = {"LocationConstraint": config.launch.region}
        connect(config.launch).call("s3", "CreateBucket", {"Bucket": "checkpoints", "CreateBucketConfiguration": place})
        yield store_of(config.launch, "box-1")


def run_folder(folder, text="weights"):
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / "checkpoints" / "last.h5").write_text(text)
    (folder / "metrics.jsonl").write_text("{}\n")
    return folder


def keys(store):
    answer = store.aws.call("s3", "ListObjectsV2", {"Bucket": "checkpoints"})
    return {item["Key"]: item["Size"] for item in answer.get("Contents", [])}


def test_what_has_changed_is_put_and_comes_back_whole(store, tmp_path):
    folder = run_folder(tmp_path / "run")
    sent = push(store, folder, {})
    assert keys(store) == {"mine/box-1/checkpoints/last.h5": 7, "mine/box-1/metrics.jsonl": 3}
    run_folder(folder, "better weights")
    store.aws.call("s3", "DeleteObject", {"Bucket": "checkpoints", "Key": "mine/box-1/metrics.jsonl"})
    (folder / "metrics.jsonl").touch()  # a new time is a change
    kept = push(store, folder, sent)
    assert kept.keys() == sent.keys()
    assert push(store, folder, kept) == kept
    home = run_folder(tmp_path / "home", "old")
    assert pull(store, home) == ["checkpoints/last.h5", "metrics.jsonl"]
    assert (home / "checkpoints" / "last.h5").read_text() == "better weights"
    assert sorted(path.name for path in (home / "checkpoints").iterdir()) == ["last.h5"]


def test_the_machine_puts_its_files_without_credentials(store, tmp_path):
    addresses = signed(store, 3600.0)
    folder = run_folder(tmp_path / "run")
    for path, address in addresses.items():
        assert SECRET not in address
        assert "X-Amz-Expires=3600" in address
        said = upload(folder / path, address)
        assert said == ("uploaded" if (folder / path).exists() else "not uploaded (FileNotFoundError)")
    assert set(keys(store)) == {"mine/box-1/checkpoints/last.h5", "mine/box-1/metrics.jsonl"}
    assert "X-Amz-Expires=604800" in signed(store, 9e9)["metrics.jsonl"], "a week is the most that S3 allows"


def test_nothing_there_is_nothing_brought(store, tmp_path):
    assert pull(store, tmp_path / "home") == []
    assert push(store, tmp_path, {}) == {}


@pytest.mark.parametrize("pace", PACES.values(), ids=PACES)
def test_a_bucket_that_is_not_there_is_told(tmp_path, monkeypatch, pace):
    account(monkeypatch, tmp_path)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0)
    with running_aws(Nature(RealClock(), pace)) as aws:
        config, _ = read_launch(words(aws, "launch.s3=s3://nowhere"))
        store = store_of(config.launch, "box-1")
        with pytest.raises(LaunchError, match="s3:PutObject"):
            push(store, run_folder(tmp_path / "run"), {})
    config, _ = read_launch([])
    assert store_of(config.launch, "box-1") is None


@pytest.mark.parametrize(
    ("checkpoint", "words", "wanted"),
    [
        (True, ["seed=2"], ["resume={folder}"]),
        (False, ["seed=2"], ["seed=2", "hydra.run.dir={folder}"]),
        (False, ["seed=2", "hydra.run.dir=elsewhere"], ["seed=2", "hydra.run.dir={folder}"]),
        (False, ["resume=older"], ["resume=older"]),
    ],
)
def test_a_training_goes_on_from_what_is_at_home(tmp_path, checkpoint, words, wanted):
    folder = tmp_path / "run"
    if checkpoint:
        run_folder(folder)
    assignment = Assignment(words, "run", str(folder), "/home/ubuntu/nmt-launch")
    assert going_on(assignment) == [word.format(folder=folder) for word in wanted]
