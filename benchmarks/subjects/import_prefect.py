"""Import the decorators, print the count of modules."""

import sys

from prefect import flow, task  # noqa: F401

print(len(sys.modules))
