"""Reads HTTP requests, decides which service each one is for, and answers it. Also patches and checks the engine."""
