"""kamlib: studies, reports and training for key account management on a book of business."""

__version__ = "0.1.0"
__all__ = ["open_book"]


def __getattr__(name: str):
    """Import :func:`open_book` only when it is used, so that the command line answers at once."""
    if name == "open_book":
        from kamlib.book.store import open_book

        return open_book
    raise AttributeError(f"module 'kamlib' has no attribute {name!r}")
