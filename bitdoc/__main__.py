"""``python -m bitdoc`` is the command ``bitdoc``."""

import sys

from bitdoc.main import main

if __name__ == "__main__":
    sys.exit(main())
