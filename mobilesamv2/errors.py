"""The errors this package raises on purpose. Each carries a sentence fit for the person who caused it."""


class MobileSamError(Exception):
    """Base of every error of this package; catch it to catch them all."""


class InvalidImageError(MobileSamError, ValueError):
    """The picture cannot be read or is outside what can be segmented."""


class UnknownModelError(MobileSamError, KeyError):
    """No model, detector or sampler has that name."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument; ours is a sentence.
        return str(self.args[0]) if self.args else ""


class WeightsError(MobileSamError, RuntimeError):
    """A checkpoint is missing, damaged, unsafe to read, or made for another architecture."""


class WeightsUnreachableError(WeightsError):
    """A checkpoint is not on this machine and the hub does not give it: another model may still do."""


class PromptError(MobileSamError, ValueError):
    """The prompts or the options of a sampler make no sense together."""


class NotEnoughMemoryError(MobileSamError, MemoryError):
    """The device or the machine has no room for what was asked, not even one prompt at a time."""


def sentence_of(error: Exception) -> str:
    """What went wrong with a photograph or a file, for people.

    Args:
        error: of this package, of the system (told with the file), or of memory that did not suffice.
    """
    if isinstance(error, MobileSamError):
        return str(error)
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        return f"{error.filename}: {reason}." if error.filename else f"{reason}."
    return "There is not enough memory for it; make it smaller."
