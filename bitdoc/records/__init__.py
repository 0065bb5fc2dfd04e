"""What was run, kept whole or not at all: files, run records, and the records that come with the package.

The ground floor: this room uses no other. A run record is read and written here; what it means is for others to say.
"""

from bitdoc.records.runs import RecordError, RunRecord

__all__ = ["RecordError", "RunRecord"]
