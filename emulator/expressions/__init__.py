"""DynamoDB's expressions: reads, checks and evaluates them, and counts the capacity that requests consume.

Everything here is a pure function of texts and values as the API spells them. It knows no table store, no engine, no
HTTP. The legacy parameters (Expected, KeyConditions and so on) become the same syntax tree as the expressions.
"""
