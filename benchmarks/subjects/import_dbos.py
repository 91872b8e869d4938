"""Import the decorators' class, print the count of modules."""

import sys

from dbos import DBOS  # noqa: F401

print(len(sys.modules))
