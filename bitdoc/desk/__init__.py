"""The desk: from a user's folder of pictures to a classifier in use, and all that the command ``bitdoc`` does.

Uses every room below it, and measures nothing for the book.
"""
