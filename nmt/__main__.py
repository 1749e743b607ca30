"""`python -m nmt COMMAND ...`"""

import sys

from nmt.programs import main

if __name__ == "__main__":
    sys.exit(main())
