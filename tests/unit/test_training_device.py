"""Which device is chosen, and the sentences where none serves. TensorFlow's side is a stand-in."""

from __future__ import annotations

import pytest
import tensorflow as tf

from nmt.config.train import Device
from nmt.errors import DeviceError
from nmt.training import device
from nmt.training.device import check_capability, choose_device

BUILT = ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"]  # TensorFlow 2.21
BUILT_2_14 = ["sm_35", "sm_50", "sm_60", "sm_70", "sm_75", "compute_80"]


@pytest.mark.parametrize(
    "capability, built, runs",
    [
        ((3, 5), BUILT_2_14, True),
        ((3, 7), BUILT_2_14, True),  # K80: machine code of the same major version, from a lower minor on
        ((3, 0), BUILT_2_14, False),
        ((3, 7), BUILT, False),
        ((5, 2), BUILT_2_14, True),
        ((5, 2), BUILT, False),
        ((6, 1), BUILT, True),
        ((7, 0), BUILT, True),
        ((7, 5), BUILT, True),
        ((8, 0), ["sm_86"], False),
        ((8, 6), BUILT, True),
        ((8, 9), ["sm_80"], True),
        ((9, 0), ["sm_80", "sm_89"], False),
        ((9, 0), BUILT, True),
        ((10, 0), BUILT, True),  # compiled by the driver
        ((12, 0), ["sm_90"], False),
        ((12, 0), ["sm_120"], True),
        ((8, 9), ["compute_90"], False),
        ((8, 9), ["compute_80"], True),
        ((7, 0), [], False),
    ],
)
def test_which_builds_run_on_which_gpus(capability, built, runs):
    if runs:
        check_capability(capability, built)
    else:
        with pytest.raises(DeviceError):
            check_capability(capability, built)


def test_a_gpu_without_code_is_named_with_what_there_is_code_for():
    with pytest.raises(DeviceError) as caught:
        check_capability((3, 7), ["sm_60", "compute_90"])
    assert str(caught.value) == (
        f"train.device: found a GPU of compute capability 3.7, expected one that this TensorFlow {tf.__version__} has "
        "code for (sm_60, compute_90); use TensorFlow 2.14.1 for a K80 (the tf214 group), or train.device=cpu."
    )


@pytest.fixture
def tensorflow(monkeypatch):
    """What TensorFlow was told to do; `tensorflow["gpus"]` are the GPUs that it finds."""
    told = {"gpus": [], "growing": []}

    def note(name):
        return lambda *arguments: told.__setitem__(name, arguments)

    for place, name in (
        (tf.config, "set_visible_devices"),
        (tf.config.threading, "set_intra_op_parallelism_threads"),
        (tf.config.threading, "set_inter_op_parallelism_threads"),
        (tf.config, "set_logical_device_configuration"),
    ):
        monkeypatch.setattr(place, name, note(name))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: told["growing"].append((gpu, on)))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: told["gpus"] if kind == "GPU" else ["a CPU"])
    details = {"device_name": "Tesla K80", "compute_capability": (3, 7)}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"cuda_compute_capabilities": BUILT_2_14})
    monkeypatch.setattr("nmt.training.device.os.sched_getaffinity", lambda process: {0, 1, 2})
    monkeypatch.setattr(device, "why_no_gpu", lambda: "no GPU found")  # whatever this machine has
    return told


def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(tensorflow):
    with pytest.raises(DeviceError) as caught:
        choose_device(Device.gpu, threads=0)
    assert str(caught.value) == (
        "train.device: found no GPU that TensorFlow can use, expected one, since train.device=gpu; "
        "install the CUDA libraries (uv sync --extra gpu), check nvidia-smi, let TensorFlow say why "
        "(TF_CPP_MIN_LOG_LEVEL=0), or use train.device=cpu."
    )
    assert "set_visible_devices" not in tensorflow


@pytest.mark.parametrize(
    "asked, gpus, threads, description",
    [
        (Device.cpu, [], 0, "CPU, 3 threads"),
        (Device.cpu, ["a GPU"], 2, "CPU, 2 threads"),
        (Device.auto, [], 0, "CPU, 3 threads (no GPU found)"),
    ],
)
def test_a_cpu_with_its_threads(tensorflow, asked, gpus, threads, description):
    tensorflow["gpus"] = gpus
    chosen = choose_device(asked, threads)
    assert (chosen.kind, chosen.description) == ("cpu", description)
    assert tensorflow["set_visible_devices"] == ([], "GPU")
    count = threads or 3
    assert tensorflow["set_intra_op_parallelism_threads"] == (count,)
    assert tensorflow["set_inter_op_parallelism_threads"] == (count,)


@pytest.mark.parametrize("asked", [Device.auto, Device.gpu])
def test_a_gpu_is_named_with_its_capability_and_what_there_is_code_for(tensorflow, asked):
    tensorflow["gpus"] = ["first", "second"]
    chosen = choose_device(asked, threads=0)
    assert chosen.kind == "gpu"
    assert chosen.description == (
        f"Tesla K80, compute capability 3.7, which this TensorFlow {tf.__version__} has code for "
        "(sm_35, sm_50, sm_60, sm_70, sm_75, compute_80)"
    )
    assert tensorflow["set_visible_devices"] == (["first"], "GPU")
    assert tensorflow["growing"] == [("first", True)]
    assert (chosen.count, chosen.num_gpus, chosen.model, chosen.capability) == (1, 1, "Tesla K80", (3, 7))


@pytest.mark.parametrize("count, taken", [(2, ["first", "second"]), (0, ["first", "second", "third"])])
def test_several_gpus_of_a_machine(tensorflow, count, taken):
    tensorflow["gpus"] = ["first", "second", "third"]
    chosen = choose_device(Device.auto, 0, count)
    assert (chosen.count, chosen.num_gpus) == (len(taken), len(taken))
    assert chosen.description.startswith(f"{len(taken)} x Tesla K80, compute capability 3.7, ")
    assert tensorflow["set_visible_devices"] == (taken, "GPU")
    assert tensorflow["growing"] == [(gpu, True) for gpu in taken]


@pytest.mark.parametrize("gpus, there", [(["first"], "1 GPU"), (["first", "second"], "2 GPUs")])
def test_more_gpus_than_there_are(tensorflow, gpus, there):
    tensorflow["gpus"] = gpus
    with pytest.raises(DeviceError) as caught:
        choose_device(Device.gpu, 0, 4)
    assert str(caught.value) == (
        f"train.devices: found {there} that TensorFlow can use, expected 4, since train.devices=4; "
        f"ask for {len(gpus)} at most, or for 0: all there are."
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_cpu_is_split_where_several_devices_are_asked_for(tensorflow, count):
    chosen = choose_device(Device.cpu, 2, count)
    assert (chosen.count, chosen.num_gpus) == (max(1, count), 0)
    assert ("set_logical_device_configuration" in tensorflow) == (count > 1)
    if count > 1:
        cpu, parts = tensorflow["set_logical_device_configuration"]
        assert (cpu, len(parts)) == ("a CPU", 2)
        assert chosen.description == "CPU, 2 threads, split into 2 devices"


@pytest.mark.parametrize(
    "cores, found, hint",
    [(3, "99 on a CPU of 3 cores", "ask for 3 at most"), (1, "99 on a CPU of 1 core", "use train.distribution=one")],
)
def test_a_cpu_is_not_split_into_more_devices_than_it_has_cores(tensorflow, monkeypatch, cores, found, hint):
    monkeypatch.setattr("nmt.training.device.os.sched_getaffinity", lambda process: set(range(cores)))
    with pytest.raises(DeviceError) as caught:
        choose_device(Device.cpu, 200, 99)
    assert str(caught.value) == f"train.devices: found {found}, expected a core for each device; {hint}."
    assert "set_logical_device_configuration" not in tensorflow


@pytest.mark.parametrize("asked", [Device.auto, Device.gpu])
def test_a_gpu_without_code_is_an_error(tensorflow, monkeypatch, asked):
    tensorflow["gpus"] = ["first"]
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"cuda_compute_capabilities": BUILT})
    with pytest.raises(DeviceError, match=r"a GPU of compute capability 3\.7"):
        choose_device(asked, threads=0)


def test_a_gpu_that_tensorflow_cannot_use_is_told_from_none(tmp_path):
    assert device.why_no_gpu(tmp_path / "none") == "no GPU found"
    found = device.why_no_gpu(tmp_path)
    assert found.startswith("an NVIDIA driver is here, but TensorFlow cannot use its GPU: uv sync --extra gpu")
