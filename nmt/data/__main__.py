"""The entry point of `python -m nmt.data`."""

import sys

from nmt.data.commands import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
