"""What a page measures: one folder a page, each run one record, resumable.

Uses all rooms below; only figures, examples and commands use it. A study trains and records, and never draws.
"""
