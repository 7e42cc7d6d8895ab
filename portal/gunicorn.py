"""How gunicorn runs the portal: threads, because a page mostly waits for AWS."""

from portal.observability import logging_of

workers = 1
threads = 16
worker_class = "gthread"
timeout = 30
graceful_timeout = 3
keepalive = 15
accesslog = None
# A key of 2,048 bytes is three times as long in an address; the default would refuse it before any page of ours.
limit_request_line = 8190
control_socket_disable = True
logconfig_dict = logging_of("INFO")
