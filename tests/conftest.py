"""What holds for all tests."""

from hypothesis import settings

# Two shared cores pause now and then: a deadline would fail tests that are right.
settings.register_profile("trichotrack", deadline=None, print_blob=True)
settings.load_profile("trichotrack")
