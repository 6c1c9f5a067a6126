"""Traces of real load, and what actors draw from: how long questions and answers are, how load moves over time.

`docs/traces.md` tells the formats, field by field.
"""
