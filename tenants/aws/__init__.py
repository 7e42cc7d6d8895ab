"""Adapters for AWS. They take and return domain values, and use no Django."""
