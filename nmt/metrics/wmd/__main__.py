"""python -m nmt.metrics.wmd"""

import sys

from nmt.metrics.wmd.command import main

if __name__ == "__main__":  # processes that are started for large sets import this file
    sys.exit(main(sys.argv[1:]))
