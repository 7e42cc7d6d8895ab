"""The sign-in domain: its pages, its OAuth endpoints, and a page that shows the mailbox."""
