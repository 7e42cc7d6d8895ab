"""Gunicorn's configuration. It uses threads, because a page mostly waits for AWS."""

from portal.observability import logging_config

workers = 1
threads = 16
worker_class = "gthread"
timeout = 30
graceful_timeout = 3
keepalive = 15
accesslog = None
# DynamoDB keys have up to 2,048 bytes, three times as many in an address. The default limit is too low for them.
limit_request_line = 8190
control_socket_disable = True
logconfig_dict = logging_config("INFO")
