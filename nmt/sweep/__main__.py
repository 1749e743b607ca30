"""python -m nmt.sweep report FOLDER"""

import sys

from nmt.sweep.commands import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
