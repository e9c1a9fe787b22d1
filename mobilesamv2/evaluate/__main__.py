"""`python -m mobilesamv2.evaluate` is `mobilesamv2 evaluate`."""

import sys

from ..cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
