"""AWS on this laptop: one process, one port of loopback, enforcing the policies of `infra/template.yaml` as AWS would.

    process, deploy, sign_in, seeding   for programs that use it: start it, deploy a template, sign a person in
    server, wire, app, cors             the door: HTTP in, one hosted page or one AWS call out
    calls, operations                   which call a request is, and what runs it
    control, faults, clock              what a test wants to go wrong, and what time it is
    access/                             who signed a request, and whether `iam` lets them
    cognito/, pages/                    hosted pages, accounts, codes, tokens, attribute rules, the identity pool
    triggers, lambdas, lambda_*         functions of a template, run here, and what a user pool asks of them
    http_api, http_api_calls            HTTP APIs of a template, authorized on the path that is asked for
    mailbox, mailbox_pages              what would have been mailed
    sts                                 roles assumed, callers named
    state, keeper, kept, codec, changes a directory, when it is written, what is in it and how, and what has changed
    engine, patches, relied_on          MiniStack, the store behind the APIs, and everything changed about it
    row_writes, wide_partitions         told of every row that changes; pages of a partition that has many

The programs' side imports none of the rest. The portal imports nothing of this package.
"""
