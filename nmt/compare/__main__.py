"""The entry point of `python -m nmt.compare`."""

import sys

from nmt.compare.command import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
