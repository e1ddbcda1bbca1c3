"""Answers as the service sends them, for tests: an envelope around the fields of a return value."""

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def envelope(*returned: str, response: str = "getTimbresImplementacionResponse") -> bytes:
    """An answer with these elements in its return value."""
    return (
        f'<e:Envelope xmlns:e="{SOAP11}" xmlns:xsi="{XSI}"><e:Body><r:{response} xmlns:r="urn:r">'
        f"<r:return>{''.join(returned)}</r:return></r:{response}></e:Body></e:Envelope>"
    ).encode()


def fields(**values: object) -> str:
    """Elements of these names."""
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
