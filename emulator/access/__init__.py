"""Finds who signed a request and which policies apply to them, and asks `iam` whether those policies allow it."""
