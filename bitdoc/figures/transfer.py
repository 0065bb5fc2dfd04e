"""Figures of the page on transfer learning; importing this module registers them."""

from bitdoc.figures import transfer_findings, transfer_results, transfer_rule, transfer_runs
