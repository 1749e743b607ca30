"""python -m nmt.launch COMMAND ..."""

import sys

from nmt.launch.commands import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
