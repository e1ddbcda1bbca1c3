"""What a client accepts: the headers Accept, Accept-Encoding and Accept-Language."""


def prefers_openmetrics(accept: str) -> bool:
    """Return whether an Accept header asks for OpenMetrics rather than the text format.

    The highest quality wins, of equal ones the first; anything else gets the text format, as with other
    exporters.
    """
    best, quality = "", 0.0
    for kind, q in qualities(accept):
        if kind in ("application/openmetrics-text", "text/plain", "*/*", "text/*") and q > quality:
            best, quality = kind, q
    return best == "application/openmetrics-text"


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip; ``gzip;q=0`` doesn't."""
    found = dict(reversed(qualities(accept_encoding)))
    return found.get("gzip", found.get("*", 0.0)) > 0


def qualities(header: str) -> list[tuple[str, float]]:
    """Return the values of an Accept-like header with their qualities; one that is no number counts as 0."""
    found = []
    for part in header.split(","):
        value, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, text = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(text)
                except ValueError:
                    quality = 0.0
        found.append((value, quality))
    return found
