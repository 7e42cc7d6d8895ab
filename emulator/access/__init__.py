"""Who signed a request, what their policies are, and whether those allow it.

`iam` decides; this package asks the question.
"""
