"""See the package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nmt.launch.agent.installation import install
from nmt.launch.agent.job import AgentError, Job
from nmt.launch.agent.supervisor import Supervisor
from nmt.launch.agent.verbs import logs, report, start, stop

REFUSED = 3


def main(words: list[str]) -> int:
    verb, job = words[0], Job(Path(words[1]))
    job.own.mkdir(parents=True, exist_ok=True)
    if verb == "supervise":
        Supervisor(job).run()
        return 0
    if verb == "logs":
        logs(job, int(words[2]), follow=words[3] == "follow")
        return 0
    if verb == "install":
        return install(job, words[2:])
    try:
        answer = start(job, json.load(sys.stdin)) if verb == "start" else {"status": report, "stop": stop}[verb](job)
    except AgentError as error:
        print(json.dumps({"error": error.args}))
        return REFUSED
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
