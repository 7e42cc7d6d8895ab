"""Cognito: user pools with their accounts, tokens, triggers and mail, and the identity pool.

The records of users, clients and pools are the engine's. The checks are made here.
"""
