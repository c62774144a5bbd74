"""One profile for all property tests: how long an example takes says more of the machine than of the
code. In CI the examples are the same every time, as in Hypothesis's own profile for it.
"""

import os

from hypothesis import settings

settings.register_profile(
    "kitchen",
    deadline=None,
    max_examples=100,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("kitchen")
