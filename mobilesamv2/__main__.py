"""`python -m mobilesamv2`: the same as the command `mobilesamv2`."""

import sys

from .cli import main

sys.exit(main())
