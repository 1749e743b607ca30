"""What happened, told: events, the end of a run on a terminal, curves, pictures and pages, drawn from plain data.

Read `events.py` first: `metrics.jsonl`, which everything else is drawn from; `page.py` is the page of a run.
"""

from nmt.plumbing.folders import ensure_home

ensure_home()  # before matplotlib is imported, which looks for it
