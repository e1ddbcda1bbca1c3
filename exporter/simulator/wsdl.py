"""PURE: the service's description, in the shape that Axis2 1.x gives it."""

from dataclasses import dataclass
from typing import Final

from exporter.simulator.soap import NAMESPACE, OPERATIONS, SOAP11, SOAP12, TYPES_NAMESPACE, SoapVersion

SERVICE_PATH: Final = "/ws/services/Utilerias"

_INTERNAL: Final = {"http": "http://axis-node1.internal:8080", "https": "https://axis-node1.internal:8443"}
"""What Axis2 behind a proxy puts into addresses: a host that callers can't reach. Trusting it fails here."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the service; the one without a SOAP version is of the HTTP binding."""

    name: str
    scheme: str
    version: SoapVersion | None

    @property
    def path(self) -> str:
        """Of the port's address, as Axis2 forms it."""
        return f"{SERVICE_PATH}.{self.name}/"


PORTS: Final = (
    Port("UtileriasHttpSoap11Endpoint", "http", SOAP11),
    Port("UtileriasHttpsSoap11Endpoint", "https", SOAP11),
    Port("UtileriasHttpSoap12Endpoint", "http", SOAP12),
    Port("UtileriasHttpsSoap12Endpoint", "https", SOAP12),
    Port("UtileriasHttpEndpoint", "http", None),
    Port("UtileriasHttpsEndpoint", "https", None),
)
"""In the WSDL's order. The plaintext one comes first: who takes the first port sends passwords in clear."""

_EXTENSIONS: Final = {SOAP11: "soap", SOAP12: "soap12", None: "http"}
"""Prefix of the WSDL's extension elements for each binding."""
_BINDINGS: Final = {
    SOAP11: "UtileriasSoap11Binding",
    SOAP12: "UtileriasSoap12Binding",
    None: "UtileriasHttpBinding",
}


def wsdl_text() -> str:
    """The whole WSDL."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
    xmlns:ns="{NAMESPACE}" xmlns:ax21="{TYPES_NAMESPACE}"
    xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl" xmlns:http="http://schemas.xmlsoap.org/wsdl/http/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:mime="http://schemas.xmlsoap.org/wsdl/mime/"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
    targetNamespace="{NAMESPACE}">
  <wsdl:documentation>Utilerias (simulated)</wsdl:documentation>
  <wsdl:types>
    <xs:schema attributeFormDefault="qualified" elementFormDefault="qualified"
        targetNamespace="{TYPES_NAMESPACE}">
      <xs:complexType name="ResponseTimbres">
        <xs:sequence>
          {_element("contratados", "xs:int")}
          {_element("disponibles", "xs:int")}
          {_element("mensaje", "xs:string")}
          {_element("status", "xs:int")}
          {_element("usados", "xs:int")}
        </xs:sequence>
      </xs:complexType>
    </xs:schema>
    <xs:schema attributeFormDefault="qualified" elementFormDefault="qualified"
        targetNamespace="{NAMESPACE}">
      <xs:import namespace="{TYPES_NAMESPACE}"/>{"".join(map(_operation_elements, OPERATIONS))}
    </xs:schema>
  </wsdl:types>{"".join(map(_messages, OPERATIONS))}
  <wsdl:portType name="UtileriasPortType">{"".join(map(_port_type_operation, OPERATIONS))}
  </wsdl:portType>{_soap_binding(SOAP11)}{_soap_binding(SOAP12)}{_http_binding()}
  <wsdl:service name="Utilerias">{"".join(map(_port, PORTS))}
  </wsdl:service>
</wsdl:definitions>
"""


def _element(name: str, type_: str) -> str:
    return f'<xs:element minOccurs="0" name="{name}" nillable="true" type="{type_}"/>'


def _operation_elements(operation: str) -> str:
    parameters = "".join(_element(parameter, "xs:string") for parameter in OPERATIONS[operation])
    returned = _element("return", "ax21:ResponseTimbres")
    return f"""
      <xs:element name="{operation}">
        <xs:complexType><xs:sequence>{parameters}</xs:sequence></xs:complexType>
      </xs:element>
      <xs:element name="{operation}Response">
        <xs:complexType><xs:sequence>{returned}</xs:sequence></xs:complexType>
      </xs:element>"""


def _messages(operation: str) -> str:
    return f"""
  <wsdl:message name="{operation}Request">
    <wsdl:part name="parameters" element="ns:{operation}"/>
  </wsdl:message>
  <wsdl:message name="{operation}Response">
    <wsdl:part name="parameters" element="ns:{operation}Response"/>
  </wsdl:message>"""


def _port_type_operation(operation: str) -> str:
    return f"""
    <wsdl:operation name="{operation}">
      <wsdl:input message="ns:{operation}Request" wsaw:Action="urn:{operation}"/>
      <wsdl:output message="ns:{operation}Response" wsaw:Action="urn:{operation}Response"/>
    </wsdl:operation>"""


def _soap_binding(version: SoapVersion) -> str:
    prefix = _EXTENSIONS[version]
    operations = "".join(
        f"""
    <wsdl:operation name="{operation}">
      <{prefix}:operation soapAction="urn:{operation}" style="document"/>
      <wsdl:input><{prefix}:body use="literal"/></wsdl:input>
      <wsdl:output><{prefix}:body use="literal"/></wsdl:output>
    </wsdl:operation>"""
        for operation in OPERATIONS
    )
    return f"""
  <wsdl:binding name="{_BINDINGS[version]}" type="ns:UtileriasPortType">
    <{prefix}:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>{operations}
  </wsdl:binding>"""


def _http_binding() -> str:
    operations = "".join(
        f"""
    <wsdl:operation name="{operation}">
      <http:operation location="{operation}"/>
      <wsdl:input><mime:content type="application/xml" part="parameters"/></wsdl:input>
      <wsdl:output><mime:content type="application/xml" part="parameters"/></wsdl:output>
    </wsdl:operation>"""
        for operation in OPERATIONS
    )
    return f"""
  <wsdl:binding name="{_BINDINGS[None]}" type="ns:UtileriasPortType">
    <http:binding verb="POST"/>{operations}
  </wsdl:binding>"""


def _port(port: Port) -> str:
    return f"""
    <wsdl:port name="{port.name}" binding="ns:{_BINDINGS[port.version]}">
      <{_EXTENSIONS[port.version]}:address location="{_INTERNAL[port.scheme]}{port.path}"/>
    </wsdl:port>"""
