"""`python -m nmt.metrics.blind`: scores by people, beside those of metrics. The work is on a floor above."""

import runpy

if __name__ == "__main__":
    runpy.run_module("nmt.compare.blind", run_name="__main__", alter_sys=True)
