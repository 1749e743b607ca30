"""What works on the rented machine beside training: the standard library alone, so that it runs before anything is
installed, on any Python from 3.8. With the project on PYTHONPATH:

    python3 -m nmt.launch.agent install FOLDER WORDS...   `uv sync WORDS`; brings uv and tmux where they are missing
    python3 -m nmt.launch.agent start FOLDER < SPEC       arm the dead-man timer and train in tmux, unless that runs
    python3 -m nmt.launch.agent supervise FOLDER          (in tmux) the trainer, the notices, the deadline
    python3 -m nmt.launch.agent status FOLDER             one JSON object
    python3 -m nmt.launch.agent logs FOLDER OFFSET once   the trainer's output from there on; `follow`: until it ends
    python3 -m nmt.launch.agent stop FOLDER               have the trainer save and leave

FOLDER holds `project/`, `runs/` and `job/`, where `spec.json` keeps what is run and `status.json` what became of it.
Answers are JSON on standard output; exit status 3 goes with `{"error": [found, expected, next step]}`.
"""
