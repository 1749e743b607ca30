"""python -m nmt.checkpoint ls|show|verify|diff|average|graft|convert ..."""

import sys

from nmt.checkpoint.commands import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
