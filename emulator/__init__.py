"""AWS on this laptop. One process on one loopback port enforces the policies of `infra/template.yaml` as AWS would.

    client/      for other programs: start the emulator, deploy a template, seed data, sign a person in
    server/      reads HTTP requests and answers them; lists the served operations and the patches to MiniStack
    access/      finds who signed a request and asks `iam` whether their policies allow it; STS
    cognito/     user pools, tokens, triggers, mail, and the identity pool
    hosted_ui/   the sign-in domain: pages, OAuth endpoints, and the mailbox page
    functions/   Lambda functions and HTTP APIs declared in a template
    state/       saves everything to a directory and restores it
    rows/        what MiniStack does differently from DynamoDB, and faster pages of large partitions
    expressions/ reads, checks and evaluates DynamoDB's expressions; counts consumed capacity; pure functions
    engine       loads MiniStack, the store behind the APIs
    wire         requests, replies, and AWS errors on the wire
    clock        the time, which tests can move
    faults       failures that tests switch on, and a count of calls
    root_key     reads the account's root key from a state directory

`client` imports none of the other rooms. The portal imports nothing of this package; only its demo uses `client`.
"""
