"""AWS on this laptop: one process, one port of loopback, enforcing the policies of `infra/template.yaml` as AWS would.

    process, deploy, sign_in, seeding   for programs that use it: start it, deploy a template, sign a person in
    server, wire, app                   the door: HTTP in, one hosted page or one AWS call out
    calls, operations, faults           which call a request is, what runs it, and what a test wants to go wrong
    access/                             who signed a request, and whether `iam` lets them
    cognito/, pages/                    hosted sign-in pages, tokens, attribute rules, the identity pool
    sts                                 roles assumed, callers named
    engine, patches, relied_on          MiniStack, the store behind the APIs, and everything changed about it

The programs' side imports none of the rest. The portal imports nothing of this package.
"""
