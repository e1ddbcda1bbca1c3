"""The provider's codes: what each means for the next poll and for the credential.

Source: the provider's documentation of ``Utilerias``: 17 codes, and 620 on the page of another operation. An
unlisted code may appear one day: below 600 it is taken for the provider's trouble, from 600 on, where the
codes about logins are, nobody knows whether the credential was refused.
"""

from typing import Final

from exporter.account.outcome import Code, Effect, Verdict

OTHER: Final = "other"
"""The value of the label ``code`` for every code that isn't documented, so that the label stays bounded."""

_BALANCE: Final = (Effect.BALANCE, Verdict.ACCEPTED)
_TROUBLE: Final = (Effect.RETRY, Verdict.NEUTRAL)
_BUSY: Final = (Effect.SLOW_DOWN, Verdict.NEUTRAL)
_REFUSED: Final = (Effect.RETRY, Verdict.REFUSED)
_STOP: Final = (Effect.RETRY, Verdict.STOP)
_NOT_ASKABLE: Final = (Effect.GIVE_UP, Verdict.NEUTRAL)


_Words = tuple[str, str]  # the meaning and the advice


def _code(
    number: int,
    kind: tuple[Effect, Verdict],
    english: _Words,
    spanish: _Words,
    *,
    exhausted: bool = False,
    label: str | None = None,
) -> Code:
    return Code(number, label or str(number), *kind, *english, spanish, exhausted=exhausted)


_ALL = (
    _code(
        200,
        _BALANCE,
        (
            "completed successfully",
            "Nothing to do.",
        ),
        (
            "completado correctamente",
            "No hay nada que hacer.",
        ),
    ),
    _code(
        500,
        _TROUBLE,
        (
            "errors at the provider prevented an answer",
            "Wait; the exporter tries again.",
        ),
        (
            "errores del proveedor impidieron responder",
            "Espere: el exportador vuelve a intentarlo.",
        ),
    ),
    _code(
        501,
        _TROUBLE,
        (
            "the provider can't connect to its database",
            "Wait; the exporter tries again.",
        ),
        (
            "el proveedor no puede conectarse a su base de datos",
            "Espere: el exportador vuelve a intentarlo.",
        ),
    ),
    _code(
        502,
        _TROUBLE,
        (
            "the provider can't use its database",
            "Wait; the exporter tries again.",
        ),
        (
            "el proveedor no puede usar su base de datos",
            "Espere: el exportador vuelve a intentarlo.",
        ),
    ),
    _code(
        503,
        _BUSY,
        (
            "the provider's limit of concurrent users is reached",
            "Lower the environment's concurrency or lengthen the interval where this lasts.",
        ),
        (
            "se alcanzó el límite de usuarios simultáneos del proveedor",
            "Si persiste, reduzca la concurrencia (concurrency) o alargue el intervalo (interval).",
        ),
    ),
    _code(
        601,
        _REFUSED,
        (
            "the user name or the password is wrong",
            "Correct the credential in the configuration, then reload.",
        ),
        (
            "el usuario o la contraseña son incorrectos",
            "Corrija la credencial en la configuración y recárguela.",
        ),
    ),
    _code(
        602,
        _STOP,
        (
            "the account is locked",
            "Have the provider unlock it, check the credential, then resume the account.",
        ),
        (
            "la cuenta está bloqueada",
            "Pida al proveedor que la desbloquee, revise la credencial y después reanude la cuenta.",
        ),
    ),
    _code(
        603,
        _STOP,
        (
            "the account's password has expired",
            "Set a new password at the provider and in the configuration, then reload.",
        ),
        (
            "la contraseña de la cuenta ha expirado",
            "Establezca una contraseña nueva con el proveedor y en la configuración, y recárguela.",
        ),
    ),
    _code(
        604,
        _STOP,
        (
            "too many logins failed",
            "Find what else uses this credential, have the provider unlock the account, then resume it.",
        ),
        (
            "demasiados inicios de sesión fallidos",
            "Averigüe qué más usa esta credencial, pida al proveedor que desbloquee la cuenta y reanúdela.",
        ),
    ),
    _code(
        605,
        _STOP,
        (
            "the user is inactive",
            "Have the provider activate the user, then resume the account.",
        ),
        (
            "el usuario está inactivo",
            "Pida al proveedor que active el usuario y después reanude la cuenta.",
        ),
    ),
    _code(
        611,
        _TROUBLE,
        (
            "the provider finds our request incomplete",
            "The service may have changed: look for a newer version of the exporter.",
        ),
        (
            "el proveedor considera incompleta nuestra solicitud",
            "El servicio puede haber cambiado: busque una versión más reciente del exportador.",
        ),
    ),
    _code(
        612,
        _TROUBLE,
        (
            "the provider finds our request malformed",
            "The service may have changed: look for a newer version of the exporter.",
        ),
        (
            "el proveedor considera mal formada nuestra solicitud",
            "El servicio puede haber cambiado: busque una versión más reciente del exportador.",
        ),
    ),
    _code(
        624,
        _TROUBLE,
        (
            "a uniqueness restriction was violated",
            "Not expected for a query: ask the provider where this lasts.",
        ),
        (
            "se violó una restricción de unicidad",
            "No es de esperar en una consulta: si persiste, pregunte al proveedor.",
        ),
    ),
    _code(
        630,
        _BALANCE,
        (
            "the account's stamps have run out",
            "Buy stamps: invoicing has stopped.",
        ),
        (
            "se agotaron los timbres de la cuenta",
            "Compre timbres: la facturación está detenida.",
        ),
        exhausted=True,
    ),
    _code(
        631,
        _BALANCE,
        (
            "the issuer's stamps have run out",
            "Buy stamps: invoicing has stopped.",
        ),
        (
            "se agotaron los timbres del emisor",
            "Compre timbres: la facturación está detenida.",
        ),
        exhausted=True,
    ),
    _code(
        632,
        _BUSY,
        (
            "the limit of fair use is reached",
            "Lengthen the interval.",
        ),
        (
            "se alcanzó el límite de uso justo",
            "Alargue el intervalo (interval).",
        ),
    ),
    _code(
        633,
        _STOP,
        (
            "a production account used in testing, or the reverse",
            "Correct the account's environment in the configuration, then reload.",
        ),
        (
            "cuenta de producción usada en pruebas, o al revés",
            "Corrija el entorno (environment) de la cuenta en la configuración y después recárguela.",
        ),
    ),
)

_OF_ISSUERS: Final = (
    _code(
        611,
        _NOT_ASKABLE,
        (
            "the provider finds the request for this issuer incomplete",
            "Check the issuer's RFC, and ask the provider whether it can be queried; then reload.",
        ),
        (
            "el proveedor considera incompleta la solicitud para este emisor",
            "Revise el RFC del emisor y pregunte al proveedor si se puede consultar; después recargue.",
        ),
    ),
    _code(
        620,
        _NOT_ASKABLE,
        (
            "this login has no permission to ask for this issuer",
            "Check the issuer's RFC, or have the provider permit it; then reload.",
        ),
        (
            "este usuario no tiene permiso para consultar a este emisor",
            "Revise el RFC del emisor o pida el permiso al proveedor; después recargue.",
        ),
        label=OTHER,  # it is documented for another operation, and no account was ever counted by it
    ),
)
"""What is another matter where an issuer is asked for: its RFC can be at fault, not only our request."""

CODES: Final = {code.number: code for code in _ALL}
"""The documented codes by number, in ascending order."""

ISSUER_CODES: Final = CODES | {code.number: code for code in _OF_ISSUERS}
"""Those of answers about an issuer."""

LABELS: Final = (*(code.label for code in _ALL), OTHER)
"""All values of the label ``code``."""

SUCCESS: Final = CODES[200]
"""What a healthy account is answered."""

REFUSED: Final = CODES[601]
"""The login was refused."""

REQUEST_DOUBTED: Final = frozenset({611, 612})
"""Codes that find our request "incomplete" or "malformed": perhaps the WSDL has changed."""

_FIRST_ABOUT_LOGINS: Final = 600


def code(number: int) -> Code:
    """Return what a number means."""
    return CODES.get(number) or _undocumented(number)


def issuer_code(number: int) -> Code:
    """Return what a number means in an answer about an issuer.

    Of the credential it says the same as in any other: the login is the account's. Only 611 and 620 differ.
    """
    return ISSUER_CODES.get(number) or _undocumented(number)


def _undocumented(number: int) -> Code:
    verdict = Verdict.NEUTRAL if number < _FIRST_ABOUT_LOGINS else Verdict.UNKNOWN_FROM_SERVICE
    return Code(
        number,
        OTHER,
        Effect.RETRY,
        verdict,
        "a code that the provider doesn't document",
        "Ask the provider what it means; the exporter tries again.",
        (
            "un código que el proveedor no documenta",
            "Pregunte al proveedor qué significa; el exportador vuelve a intentarlo.",
        ),
        documented=False,
    )
