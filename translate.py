"""Translate standard input to standard output. `python translate.py --help` shows how."""

import sys

from nmt.programs import translate

if __name__ == "__main__":
    sys.exit(translate(sys.argv[1:]))
