"""The project's own checks, one rule a file; `scripts/check` runs them."""
