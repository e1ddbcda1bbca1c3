"""What goes wrong with the storage."""


class StorageError(Exception):
    """The storage can't be had, read or written; the message is safe to show."""
