"""DynamoDB's operations on whole tables: what a definition and its tags may be, and how a table is described."""
