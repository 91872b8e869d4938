"""What Python itself costs: nothing but the count of modules."""

import sys

print(len(sys.modules))
