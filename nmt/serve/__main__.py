"""`python -m nmt.serve checkpoint=FILE`."""

import sys

from nmt.serve.command import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
