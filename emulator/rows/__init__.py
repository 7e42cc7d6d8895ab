"""Corrects how the engine writes and queries DynamoDB rows, and reports each write to the saved state."""
