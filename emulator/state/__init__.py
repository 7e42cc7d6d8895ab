"""Saves the state of the emulated AWS to a directory while it runs, and restores it at the next start."""
