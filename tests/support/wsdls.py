"""WSDLs that cost as much as 1 MiB can: each bad in another way."""

from collections.abc import Callable

from tests.support.places import DATA

MIB = 1024 * 1024
AXIS2 = (DATA / "wsdl" / "axis2.wsdl").read_text()


def twisted(types: str) -> str:
    place = '<xs:complexType name="ResponseTimbres">'
    return AXIS2.replace(place, types + place)


def simple_types(count: int, base: Callable[[int], str]) -> str:
    return "".join(
        f'<xs:simpleType name="R{n}"><xs:restriction base="{base(n)}"/></xs:simpleType>' for n in range(count)
    )


def complex_restrictions(count: int, fields: int) -> str:
    """Types that restrict each the one before, whose attributes each gets a copy of."""
    attributes = "".join(f'<xs:attribute name="a{n}" type="xs:int"/>' for n in range(fields))
    return f'<xs:complexType name="C0">{attributes}</xs:complexType>' + "".join(
        f'<xs:complexType name="C{n}"><xs:complexContent><xs:restriction base="ns:C{n - 1}">'
        f'<xs:attribute name="b{n}" type="xs:int"/></xs:restriction></xs:complexContent></xs:complexType>'
        for n in range(1, count)
    )


HOSTILE = {
    "restrictions": simple_types(10_000, lambda _: "xs:string"),
    "restrictions of restrictions": simple_types(9_000, lambda n: f"ns:R{n + 1}" if n < 8_999 else "xs:int"),
    "complex restrictions": complex_restrictions(4_000, 1),
    "complex restrictions of many attributes": complex_restrictions(2_000, 8_000),
    "attributes": '<xs:complexType name="A">'
    + "".join(f'<xs:attribute name="a{n}" type="xs:int"/>' for n in range(20_000))
    + "</xs:complexType>",
    "elements": "".join(f'<xs:element name="e{n}" type="xs:int"/>' for n in range(20_000)),
    "attributes of one element": "<xs:annotation><xs:appinfo "
    + " ".join(f'a{n}="x"' for n in range(70_000))
    + "/></xs:annotation>",
    "schemas": "".join(f'<xs:import namespace="urn:{n}"/>' for n in range(20_000)),
}
