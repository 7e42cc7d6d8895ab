"""Lambda functions of a template, run in this process, and the HTTP APIs that call them."""
