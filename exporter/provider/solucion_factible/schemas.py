"""XML schemas that everybody knows and WSDLs like to import, as far as a WSDL refers to them.

Their publishers' addresses aren't the provider's, and nothing is fetched from anywhere else.
"""

from typing import Final

SOAP_ENCODING: Final = "http://schemas.xmlsoap.org/soap/encoding/"
XML_MIME: Final = "http://www.w3.org/2005/05/xmlmime"
_OLDER_XML_MIME: Final = "http://www.w3.org/2004/11/xmlmime"
XML: Final = "http://www.w3.org/XML/1998/namespace"


def _schema(namespace: str, content: str) -> bytes:
    return (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{namespace}">'
        f"{content}</xs:schema>"
    ).encode()


def empty(namespace: str) -> bytes:
    """Return a schema of this namespace that defines nothing."""
    return _schema(namespace, "")


def _value(name: str, base: str, attributes: str) -> str:
    return (
        f'<xs:complexType name="{name}"><xs:simpleContent><xs:extension base="xs:{base}">{attributes}'
        "</xs:extension></xs:simpleContent></xs:complexType>"
    )


def _attribute(name: str) -> str:
    return f'<xs:attribute name="{name}" type="xs:string"/>'


_ENCODED: Final = (
    "string",
    "boolean",
    "decimal",
    "float",
    "double",
    "dateTime",
    "date",
    "time",
    "integer",
    "int",
    "long",
    "short",
    "byte",
    "base64Binary",
    "hexBinary",
    "anyURI",
    "QName",
    "duration",
    "nonNegativeInteger",
    "positiveInteger",
    "unsignedInt",
    "unsignedLong",
    "unsignedShort",
    "unsignedByte",
    "normalizedString",
    "token",
)


def _xml_mime(namespace: str) -> bytes:
    content_type = f'<xs:attribute xmlns:m="{namespace}" ref="m:contentType"/>'
    return _schema(
        namespace,
        _attribute("contentType")
        + _attribute("expectedContentTypes")
        + _value("base64Binary", "base64Binary", content_type)
        + _value("hexBinary", "hexBinary", content_type),
    )


WELL_KNOWN: Final = {
    SOAP_ENCODING: _schema(
        SOAP_ENCODING,
        "".join(map(_attribute, ("root", "arrayType", "offset", "position")))
        + "".join(_value(name, name, _attribute("id")) for name in _ENCODED)
        + '<xs:simpleType name="base64"><xs:restriction base="xs:base64Binary"/></xs:simpleType>'
        + "".join(
            f'<xs:complexType name="{name}"><xs:sequence><xs:any minOccurs="0" maxOccurs="unbounded" '
            'processContents="lax"/></xs:sequence></xs:complexType>'
            for name in ("Array", "Struct")
        ),
    ),
    XML_MIME: _xml_mime(XML_MIME),
    _OLDER_XML_MIME: _xml_mime(_OLDER_XML_MIME),
    XML: _schema(XML, "".join(map(_attribute, ("lang", "space", "base", "id")))),
}
"""Schemas by namespace."""
