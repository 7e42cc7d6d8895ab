"""Values and decisions of the application, on the standard library alone: no Django, no AWS."""
