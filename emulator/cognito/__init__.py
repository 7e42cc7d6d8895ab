"""A user pool's pages, tokens and attribute rules, and the identity pool that turns an ID token into credentials.

Users, clients and pools are the engine's records; everything that decides who somebody is happens here.
"""
