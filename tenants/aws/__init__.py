"""AWS, seen from the application: adapters that take and return domain values. No Django in here."""
