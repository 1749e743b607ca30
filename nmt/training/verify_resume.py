"""`python -m nmt.training.verify_resume`, the earlier name of `python -m nmt.tools.verify_resume`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("nmt.tools.verify_resume", run_name="__main__", alter_sys=True)
