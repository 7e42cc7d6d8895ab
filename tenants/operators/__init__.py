"""The operators' portal at `/operators/`: a site of Django's admin with pages of its own, behind the same door as all.

It shows what the portal's own database knows of tenants and members, and changes it through the use cases alone. Rows
of tenants cannot be reached from here: they need a member's own credentials.
"""
