"""The operators' portal at `/operators/`: pages of its own behind the same door as all others.

It shows what the portal's own database knows of tenants and members, and changes it through the use cases alone. Rows
of tenants are not read here: no page makes a call to AWS.
"""
