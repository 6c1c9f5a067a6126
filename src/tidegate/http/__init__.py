"""Requests become values, outcomes become responses. One room per audience."""
