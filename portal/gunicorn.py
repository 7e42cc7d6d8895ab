"""How gunicorn runs the portal: threads, because a page mostly waits for AWS."""

from portal.observability import logging_of

workers = 1
threads = 16
worker_class = "gthread"
timeout = 30
graceful_timeout = 3
keepalive = 15
accesslog = None
control_socket_disable = True
logconfig_dict = logging_of("INFO")
