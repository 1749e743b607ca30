"""Translate standard input to standard output. `python translate.py --help` shows how."""

import sys

from nmt.config.commands import TranslateConfig, run_command
from nmt.config.pages import translate_page


def main(command: TranslateConfig) -> object:
    from nmt.app.translate import translate_lines

    return translate_lines(command)


if __name__ == "__main__":
    sys.exit(run_command(main, TranslateConfig, translate_page, sys.argv[1:]))
