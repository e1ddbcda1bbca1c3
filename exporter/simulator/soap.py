"""PURE: SOAP 1.1 and 1.2 as Axis2 speaks them: a request's bytes to a call, an answer to a reply's bytes."""

from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from exporter.simulator.answers import MESSAGES, Answer

NAMESPACE: Final = "http://utilerias.ws.cfdi.solucionfactible.com"
"""Of the operation elements. Formed like the sibling service's: the real one is unknown."""
TYPES_NAMESPACE: Final = f"{NAMESPACE}/xsd"
OPERATIONS: Final = {
    "getTimbres": ("usuario", "password", "rfcEmisor"),
    "getTimbresImplementacion": ("usuario", "password"),
}
"""Each operation's parameters."""


@dataclass(frozen=True, slots=True)
class SoapVersion:
    """What differs between the two versions of SOAP."""

    envelope: str
    """Namespace of the envelope."""
    content_type: str


SOAP11: Final = SoapVersion("http://schemas.xmlsoap.org/soap/envelope/", "text/xml")
SOAP12: Final = SoapVersion("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml")


class SoapFaultError(Exception):
    """A request that isn't a call. Its text goes to the caller, so it never quotes the request."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of the operations. Missing, nil and empty parameters are the empty string."""

    username: str
    password: str = field(repr=False)
    issuer: str | None
    """RFC of `getTimbres`; None for `getTimbresImplementacion`."""

    @property
    def is_complete(self) -> bool:
        """Whether no parameter is missing."""
        return bool(self.username and self.password and self.issuer != "")


def read_call(body: bytes, version: SoapVersion, action: str) -> Call:
    """The call in a request's body.

    `action` is the SOAPAction, "" where the client sent none. Raise SoapFaultError for all that isn't a call.
    """
    element = _operation_element(_parse(body), version)
    name = etree.QName(element)
    if name.namespace != NAMESPACE or name.localname not in OPERATIONS:
        raise SoapFaultError("The operation is unknown to this service.")
    if action not in {"", f"urn:{name.localname}"}:
        raise SoapFaultError("The SOAPAction and the operation in the body differ.")
    given = {parameter: _parameter(element, parameter) for parameter in OPERATIONS[name.localname]}
    return Call(given["usuario"], given["password"], given.get("rfcEmisor"))


def _parse(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        raise SoapFaultError("The request is not well-formed XML.") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise SoapFaultError("A SOAP message must not contain a document type declaration.")
    return root


def _operation_element(root: etree._Element, version: SoapVersion) -> etree._Element:
    if root.tag != f"{{{version.envelope}}}Envelope":
        raise SoapFaultError("The request is not an envelope of this port's SOAP version.")
    body = root.find(f"{{{version.envelope}}}Body")
    if body is None or len(body) != 1:
        raise SoapFaultError("The envelope must have a body with exactly one operation.")
    return body[0]


def _parameter(element: etree._Element, name: str) -> str:
    child = element.find(f"{{{NAMESPACE}}}{name}")
    return "" if child is None else child.text or ""


def write_answer(answer: Answer, call: Call, version: SoapVersion) -> bytes:
    """The reply to a call: fields in alphabetical order, those without a value nil."""
    balance = answer.balance
    fields: dict[str, object] = {
        "contratados": balance and balance.contracted,
        "disponibles": balance and balance.available,
        "mensaje": escape(MESSAGES[answer.code]),
        "status": answer.code,
        "usados": balance and balance.used,
    }
    operation = "getTimbresImplementacion" if call.issuer is None else "getTimbres"
    return _envelope(
        f'<ns:{operation}Response xmlns:ns="{NAMESPACE}">'
        f'<ns:return xmlns:ax21="{TYPES_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:type="ax21:ResponseTimbres">{"".join(map(_field, fields, fields.values()))}</ns:return>'
        f"</ns:{operation}Response>",
        version,
    )


def _field(name: str, value: object) -> str:
    if value is None:
        return f'<ax21:{name} xsi:nil="true"/>'
    return f"<ax21:{name}>{value}</ax21:{name}>"


def write_fault(fault: SoapFaultError, version: SoapVersion) -> bytes:
    """The reply to a request that isn't a call: the sender is to blame."""
    reason = escape(str(fault))
    if version is SOAP12:
        detail = (
            "<soapenv:Code><soapenv:Value>soapenv:Sender</soapenv:Value></soapenv:Code>"
            f'<soapenv:Reason><soapenv:Text xml:lang="en-US">{reason}</soapenv:Text></soapenv:Reason>'
        )
    else:
        detail = f"<faultcode>soapenv:Client</faultcode><faultstring>{reason}</faultstring>"
    return _envelope(
        f"<soapenv:Fault>{detail}<{'soapenv:Detail' if version is SOAP12 else 'detail'}/></soapenv:Fault>",
        version,
    )


def _envelope(content: str, version: SoapVersion) -> bytes:
    return (
        "<?xml version='1.0' encoding='UTF-8'?>"
        f'<soapenv:Envelope xmlns:soapenv="{version.envelope}">'
        f"<soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"
    ).encode()
