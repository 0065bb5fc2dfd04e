"""Batch norm and group norm, with and without weight standardization: small batches, and transfer."""
