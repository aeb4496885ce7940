"""The two ways a call can fail on purpose: the request was wrong, or the numbers did not allow an answer."""


class RequestError(ValueError):
    """Raised when what was asked for is wrong; the message says what, how many, which, and what to do."""


class ModelError(RuntimeError):
    """Raised when a model cannot be fitted to the data it was given; the message says what to do instead."""
