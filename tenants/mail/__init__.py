"""The portal's own mails: an outbox, the text of each kind of mail, and sending them by the worker."""
