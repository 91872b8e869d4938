"""Import the decorators, run one no-op flow, print the count of modules."""

import sys

from ostinato import flow, task  # noqa: F401  (the import of both is what is measured)


@flow
def nothing() -> None:
    pass


nothing()
print(len(sys.modules))
