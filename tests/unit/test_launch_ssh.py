"""Every way in which a connection fails, with a client that fails as told: the sentence names the machine's end."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest

from nmt.config.remote import RemoteConfig
from nmt.errors import ConfigError, LaunchError
from nmt.launch.machine import Machine
from nmt.launch.ssh import Ssh
from nmt.launch.ssh_faults import Fault, classify, last_line, remote_line

ENDS_IT = "the machine may still run and cost: python -m nmt.launch terminate launch.name=box ends it."
WHERE = "box (i-0123456789abcdef0, eu-west-1), "
CLIENT = """#!{python}
import os, pathlib, signal, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as file:
    print(repr(sys.argv), file=file)
rest = (here / "script").read_text().split("\\n---\\n")
(here / "script").write_text("\\n---\\n".join(rest[1:]))
status, _, said = rest[0].partition("\\n")
sys.stderr.write(said)
sys.stderr.flush()
if int(status) < 0:
    os.kill(os.getpid(), -int(status))
print("answer")
sys.exit(int(status))
"""
REFUSED = "255\nssh: connect to host 192.0.2.7 port 22: Connection refused\n"
OK = "0\n"


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """A client that plays what `script` says; pauses cost nothing and are written down."""
    for name in ("ssh", "rsync"):
        (tmp_path / name).write_text(CLIENT.format(python=sys.executable))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    machine = Machine(
        *("box", "eu-west-1", "i-0123456789abcdef0", "192.0.2.7", 22, "ubuntu"),
        *(tmp_path / "a key", tmp_path / "known hosts", "tf221", 0.5, True),
    )
    pauses: list[float] = []
    ssh = Ssh(machine, RemoteConfig(wait_s=60.0, command_timeout_s=20.0), sleep=pauses.append)
    return ssh, tmp_path, pauses


def play(folder, *answers):
    (folder / "script").write_text("\n---\n".join(answers))


def calls(folder):
    return [eval(line) for line in (folder / "calls").read_text().splitlines()]


SAID = {
    Fault.refused: "ssh: connect to host 192.0.2.7 port 22: Connection refused",
    Fault.timed_out: "ssh: connect to host 192.0.2.7 port 22: Connection timed out",
    Fault.no_name: "ssh: Could not resolve hostname nowhere: Name or service not known",
    Fault.host_key: "No ED25519 host key is known for 192.0.2.7 and you have requested strict checking.\r\n"
    "Host key verification failed.",
    Fault.authentication: "ubuntu@192.0.2.7: Permission denied (publickey).",
    Fault.key_file: 'Load key "/home/me/key": error in libcrypto\nubuntu@192.0.2.7: Permission denied (publickey).',
    Fault.lost: "client_loop: send disconnect: Broken pipe",
    Fault.unknown: "something never heard of",
}


@pytest.mark.parametrize("fault", SAID, ids=lambda fault: fault.name)
@pytest.mark.parametrize("program", ["ssh", "rsync"])
def test_a_failed_connection_ends_in_one_sentence_that_names_the_end_of_the_machine(ssh, fault, program):
    ssh, folder, pauses = ssh
    ssh = Ssh(ssh.machine, RemoteConfig(wait_s=0.0), sleep=pauses.append)
    play(folder, f"255\n{SAID[fault]}\n")
    with pytest.raises(LaunchError) as caught:
        ssh.run(["true"], "a try") if program == "ssh" else ssh.rsync(["--", "a", ssh.path("b")], "a try")
    sentence = str(caught.value)
    found, expected, step = fault.value
    assert sentence.startswith(f"{WHERE}a try: found {found} (")
    step = step.format(refresh="python -m nmt.launch refresh-access launch.name=box")
    assert f"expected {expected}; {step}; {ENDS_IT}" in sentence
    assert sentence.count("\n") == 0
    assert pauses == []


@pytest.mark.parametrize("status", [-9, -15])
def test_a_killed_client_is_told_and_not_tried_again(ssh, status):
    ssh, folder, pauses = ssh
    play(folder, f"{status}\n", OK)
    with pytest.raises(LaunchError, match=r"a try: found the client killed, .*run the same command again") as caught:
        ssh.run(["true"], "a try")
    assert ENDS_IT in str(caught.value)
    assert pauses == []


@pytest.mark.parametrize(
    ("status", "fault"), [(10, "lost"), (12, "lost"), (20, "killed"), (30, "lost"), (35, "lost"), (-9, "killed")]
)
def test_a_half_uploaded_file_is_told(ssh, status, fault):
    ssh, folder, pauses = ssh
    play(folder, *[f"{status}\nrsync error: error in rsync protocol data stream (code 12)\n"] * 20)
    with pytest.raises(LaunchError) as caught:
        ssh.rsync(["--", "a", ssh.path("b")], "upload")
    assert f"{WHERE}upload: found {Fault[fault].value[0]}" in str(caught.value)
    assert ENDS_IT in str(caught.value)
    assert bool(pauses) == (fault == "lost")


@pytest.mark.parametrize("fault", [Fault.refused, Fault.timed_out, Fault.host_key, Fault.authentication])
def test_the_clients_own_words_count_also_where_rsync_gives_its_own_status(ssh, fault):
    """rsync ends with 12 in place of 255 where it meets the end of the stream before the end of the client."""
    ssh, folder, _ = ssh
    ssh = Ssh(ssh.machine, RemoteConfig(wait_s=0.0))
    echo = "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\n"
    echo += "rsync error: error in rsync protocol data stream (code 12) at io.c(231) [Receiver=3.2.7]\n"
    play(folder, f"12\n{SAID[fault]}\n{echo}")
    with pytest.raises(LaunchError) as caught:
        ssh.rsync(["--", "a", ssh.path("b")], "upload")
    last = SAID[fault].splitlines()[-1].rstrip(".")
    assert f"{WHERE}upload: found {fault.value[0]} ({last})" in str(caught.value)


def test_a_program_that_is_missing_is_named(ssh, monkeypatch, tmp_path_factory):
    ssh, _, _ = ssh
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
    with pytest.raises(LaunchError, match=r"found no such program here \(ssh\), expected OpenSSH's client and rsync"):
        ssh.run(["true"], "a try")
    with pytest.raises(LaunchError, match=r"no such program here \(rsync\)"):
        ssh.rsync(["--", "a", "b"], "a try")
    with pytest.raises(LaunchError, match=r"no such program here \(ssh\)"):
        ssh.stream(["true"], "a try", lambda part: None)
    with pytest.raises(LaunchError, match=r"no such program here \(ssh\)"):
        ssh.terminal(["true"], "a try")


def test_what_passes_is_tried_again_with_growing_pauses(ssh):
    ssh, folder, pauses = ssh
    play(folder, REFUSED, "255\nConnection reset by peer\n", "255\nOperation timed out\n", OK)
    assert ssh.run(["true"], "a try").out == "answer\n"
    assert pauses == [1.0, 2.0, 4.0]


def test_what_does_not_pass_is_not_tried_again(ssh):
    ssh, folder, pauses = ssh
    play(folder, f"255\n{SAID[Fault.host_key]}\n", OK)
    with pytest.raises(LaunchError, match="another host key than the one on record"):
        ssh.run(["true"], "a try")
    assert (pauses, len(calls(folder))) == ([], 1)


def test_a_broken_upload_goes_on_and_a_vanished_file_is_no_failure(ssh):
    ssh, folder, pauses = ssh
    play(folder, "12\nrsync: connection unexpectedly closed\n", "24\nfile has vanished\n")
    ssh.rsync(["--", "a", ssh.path("b")], "upload")
    assert pauses == [1.0]
    assert "--partial-dir=.rsync-partial" in calls(folder)[1]


def test_a_command_that_fails_there_gives_its_last_words(ssh):
    ssh, folder, _ = ssh
    play(folder, "1\nfirst\nNo space left on device.\n")
    with pytest.raises(LaunchError, match=r"found exit status 1 \(No space left on device\), expected exit status 0"):
        ssh.run(["true"], "a try")
    play(folder, "23\nrsync: [sender] change_dir failed: No such file (2)\nrsync error: some files (code 23)\n")
    with pytest.raises(LaunchError, match=r"exit status 23 \(rsync: \[sender\] change_dir failed: No such file"):
        ssh.rsync(["--", "a", "b"], "upload")


def test_a_command_that_does_not_end_is_left(ssh):
    ssh, folder, _ = ssh
    (folder / "ssh").write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    slow = Ssh(ssh.machine, RemoteConfig(command_timeout_s=0.2))
    with pytest.raises(LaunchError, match=r"found no end in time \(0.2 s\)"):
        slow.run(["true"], "a try")


def test_a_stream_hands_on_what_comes_and_tells_how_it_ends(ssh):
    ssh, folder, _ = ssh
    parts: list[bytes] = []
    play(folder, OK, "255\nclient_loop: send disconnect: Broken pipe\n", "3\nno log\n")
    ssh.stream(["true"], "reading", parts.append)
    with pytest.raises(LaunchError, match="found the connection lost"):
        ssh.stream(["true"], "reading", parts.append)
    with pytest.raises(LaunchError, match=r"exit status 3 \(no log\)"):
        ssh.stream(["true"], "reading", parts.append)
    assert b"".join(parts) == b"answer\n" * 3


def test_host_keys_are_checked_and_no_configuration_can_change_that(ssh):
    ssh, folder, _ = ssh
    play(folder, OK)
    ssh.run(["true"], "a try")
    words = calls(folder)[0]
    assert words[1:3] == ["-F", "none"]
    settings = {word for flag, word in pairwise(words) if flag == "-o"}
    assert {"StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "BatchMode=yes"} <= settings
    assert f'UserKnownHostsFile="{folder / "known hosts"}"' in settings
    assert words[words.index("-i") + 1] == str(folder / "a key")


@pytest.mark.parametrize("word", ["a b", "$(touch x)", "`id`", "'; rm -rf x; '", "a\nb", "*", "--", "", "ä\u2028"])
def test_a_remote_word_stays_one_word(word):
    shown = ["sh", "-c", f"{sys.executable} -c 'import sys; print(ascii(sys.argv[1:]))' {remote_line([word, 'end'])}"]
    assert subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip() == ascii([word, "end"])


@pytest.mark.parametrize(("status", "shell"), [(127, "bash: line 1: "), (12, "sh: 1: "), (127, "zsh:1: ")])
def test_a_machine_without_rsync(ssh, status, shell):
    ssh, folder, pauses = ssh
    told = "command not found: rsync" if shell.startswith("zsh") else "rsync: command not found"
    told = "rsync: not found" if shell.startswith("sh") else told
    echo = (
        f"rsync: connection unexpectedly closed\nrsync error: remote command not found (code {status}) at io.c(232)\n"
    )
    play(folder, f"{status}\n{shell}{told}\n{echo}")
    with pytest.raises(LaunchError) as caught:
        ssh.rsync(["--", "a", ssh.path("b")], "upload")
    assert str(caught.value) == (
        f"{WHERE}upload: found exit status {status} ({shell}{told}), expected exit status 0; install rsync on the "
        f"machine and run the same command again; {ENDS_IT}"
    )
    assert pauses == [], "to try again would not help"


def test_a_login_shell_that_prints(ssh):
    ssh, folder, _ = ssh
    echo = "protocol version mismatch -- is your shell clean?\n(see the rsync manpage for an explanation)\n"
    play(folder, f"2\n{echo}rsync error: protocol incompatibility (code 2) at compat.c(622) [sender=3.2.7]\n", OK)
    with pytest.raises(LaunchError) as caught:
        ssh.rsync(["--", "a", ssh.path("b")], "upload")
    assert str(caught.value) == (
        f"{WHERE}upload: found exit status 2 (protocol version mismatch -- is your shell clean?), expected exit status "
        "0; keep the start-up files there from printing 'answer' where there is no terminal and run the same command "
        f"again; {ENDS_IT}"
    )


def test_a_machine_that_aws_has_ended_is_not_waited_for(ssh):
    ssh, folder, pauses = ssh
    ssh = replace(ssh, ended=lambda: "terminated: Server.SpotInstanceTermination")
    play(folder, REFUSED, OK)
    with pytest.raises(LaunchError) as caught:
        ssh.run(["true"], "a try")
    assert str(caught.value) == (
        f"{WHERE}a try: found that AWS has it no longer running (terminated: Server.SpotInstanceTermination), expected "
        "a machine that runs; python -m nmt.launch relaunch launch.name=box goes on with its training elsewhere, "
        "python -m nmt.launch cost launch.name=box prints its bill."
    )
    assert pauses == []


def test_a_machine_that_is_stopped_is_started_again_not_left_for_another(ssh):
    ssh, folder, pauses = ssh
    ssh = replace(ssh, ended=lambda: "stopped: User initiated")
    play(folder, REFUSED, OK)
    with pytest.raises(LaunchError) as caught:
        ssh.run(["true"], "a try")
    assert str(caught.value) == (
        f"{WHERE}a try: found that AWS has it stopped (stopped: User initiated), expected a machine that runs; python "
        "-m nmt.launch up launch.name=box starts it again; until it is terminated its disk costs."
    )
    assert pauses == []


def test_rsync_is_given_the_same_client_as_one_word(ssh):
    ssh, folder, _ = ssh
    play(folder, OK)
    ssh.rsync(["--", "a", ssh.path("/b c")], "upload")
    words = calls(folder)[0]
    shell = next(word for word in words if word.startswith("--rsh=")).removeprefix("--rsh=")
    assert shlex.split(shell) == [*ssh.options(), "-l", "ubuntu"]
    assert words[-1] == "192.0.2.7:/b c"
    assert "--protect-args" in words


def test_the_end_of_the_machine_is_a_whole_command(ssh):
    ssh, folder, _ = ssh
    play(folder, "255\nssh: connect to host 192.0.2.7 port 22: Operation timed out\n")
    options = "launch.name=box launch.folder=/elsewhere launch.profile=work"
    with pytest.raises(LaunchError) as caught:
        Ssh(ssh.machine, RemoteConfig(wait_s=0.0), options).run(["true"], "a try")
    assert f"python -m nmt.launch refresh-access {options}, then try again" in str(caught.value)
    assert str(caught.value).endswith(f"python -m nmt.launch terminate {options} ends it.")


def test_an_address_with_colons_is_bracketed(ssh):
    ssh, _, _ = ssh
    six = Ssh(Machine(**{**vars(ssh.machine), "address": "2001:db8::7"}), ssh.config)
    assert six.path("/b") == "[2001:db8::7]:/b"


def test_classification_prefers_the_cause():
    assert classify(255, "Connection closed by remote host\nHost key verification failed.") is Fault.host_key
    assert classify(-2, "Connection refused") is Fault.killed
    assert classify(255, "") is Fault.lost  # a session that is cut off may say nothing
    assert last_line("a\n\n rsync error: unexplained error (code 255) at io.c\n") == "a"


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [("poll_s", 0.0, "remote.poll_s: found 0.0, expected more than 0"), ("wait_s", -1.0, "remote.wait_s: found -1.0"),
     ("folder", "~/x", "remote.folder: found '~/x'"), ("folder", "", "remote.folder: found ''"),
     ("power_off", [], "remote.power_off: found nothing, expected the words of a command")],
)  # fmt: skip
def test_impossible_settings_are_refused(field, value, found):
    with pytest.raises(ConfigError) as caught:
        RemoteConfig(**{field: value})
    assert found in str(caught.value)
