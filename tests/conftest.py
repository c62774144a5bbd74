"""One profile for all property tests: how long an example takes says more of the machine than of the code."""

from hypothesis import settings

settings.register_profile("kitchen", deadline=None, max_examples=100, print_blob=True)
settings.load_profile("kitchen")
