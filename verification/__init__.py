"""Casemate's verifier: every control has a check that observes a real host and a probe that shows that the check can fail."""
