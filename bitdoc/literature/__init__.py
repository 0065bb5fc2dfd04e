"""What others printed: published numbers by paper, the rivals of BiT, and the table of all models.

Uses :mod:`bitdoc.network` to count parameters, and nothing else. Nothing here was measured by bitdoc.
"""
