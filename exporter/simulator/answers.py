"""PURE: what a call is told: the codes, and what goes with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from exporter.simulator.life import Balance

MESSAGES: Final[Mapping[int, str]] = {
    200: "El proceso se completó correctamente.",
    500: "Se produjeron errores que impidieron completar el proceso.",
    501: "Error de conexión a la base de datos.",
    502: "No fue posible leer o escribir en la base de datos.",
    503: "Se alcanzó el límite de licencias de acceso concurrente a la base de datos.",
    601: "Error de autenticación: el nombre de usuario o la contraseña son incorrectos.",
    602: "La cuenta de usuario se encuentra bloqueada.",
    603: "La contraseña de la cuenta ha expirado.",
    604: "Se superó el número máximo de intentos fallidos de autenticación.",
    605: "El usuario se encuentra inactivo.",
    611: "Los datos recibidos están incompletos o no se encuentran donde se esperaban.",
    612: "El XML está mal formado.",
    620: "Permiso denegado.",
    624: "Violación de una restricción de unicidad.",
    630: "Se han agotado los timbres de la implementación.",
    631: "Se han agotado los timbres del emisor.",
    632: "Se alcanzó el límite de uso justo por transacción.",
    633: "Cuenta de producción usada en pruebas, o cuenta de pruebas usada en producción.",
}
"""`mensaje` of each documented code, and of 620, which only issuers are answered.

The codes are the provider's; the wording is the simulator's own.
"""

OF_ISSUERS: Final = 620
"""The code that is documented for another operation than the two here; about an issuer it is possible."""

CODES: Final = tuple(code for code in MESSAGES if code != OF_ISSUERS)
"""The 17 codes that the two operations are documented with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is told: a code of the provider's, and the figures where it has some."""

    code: int
    balance: Balance | None = None
