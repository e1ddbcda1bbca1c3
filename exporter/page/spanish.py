"""PURE: the words of the page in Spanish, those for the provider's codes included."""

from collections.abc import Mapping
from typing import Final

from exporter.account.outcome import Reason
from exporter.page.standing import Condition
from exporter.page.texts import Texts

_WAIT: Final = "Espere: el exportador vuelve a intentarlo."
_BUY: Final = "Compre timbres: la facturación está detenida."
_CHANGED: Final = "El servicio puede haber cambiado: busque una versión más reciente del exportador."

CODES: Final[Mapping[int, tuple[str, str]]] = {
    200: ("completado correctamente", "No hay nada que hacer."),
    500: ("errores del proveedor impidieron responder", _WAIT),
    501: ("el proveedor no puede conectarse a su base de datos", _WAIT),
    502: ("el proveedor no puede usar su base de datos", _WAIT),
    503: (
        "se alcanzó el límite de usuarios simultáneos del proveedor",
        "Si persiste, reduzca la concurrencia (concurrency) del entorno o alargue el intervalo (interval).",
    ),
    601: (
        "el usuario o la contraseña son incorrectos",
        "Corrija la credencial en la configuración y recárguela.",
    ),
    602: (
        "la cuenta está bloqueada",
        "Pida al proveedor que la desbloquee, revise la credencial y después reanude la cuenta.",
    ),
    603: (
        "la contraseña de la cuenta ha expirado",
        "Establezca una contraseña nueva con el proveedor y en la configuración, y recárguela.",
    ),
    604: (
        "demasiados inicios de sesión fallidos",
        "Averigüe qué más usa esta credencial, pida al proveedor que desbloquee la cuenta y reanúdela.",
    ),
    605: (
        "el usuario está inactivo",
        "Pida al proveedor que active el usuario y después reanude la cuenta.",
    ),
    611: ("el proveedor considera incompleta nuestra solicitud", _CHANGED),
    612: ("el proveedor considera mal formada nuestra solicitud", _CHANGED),
    624: (
        "se violó una restricción de unicidad",
        "No es de esperar en una consulta: si persiste, pregunte al proveedor.",
    ),
    630: ("se agotaron los timbres de la cuenta", _BUY),
    631: ("se agotaron los timbres del emisor", _BUY),
    632: ("se alcanzó el límite de uso justo", "Alargue el intervalo (interval)."),
    633: (
        "cuenta de producción usada en pruebas, o al revés",
        "Corrija el entorno (environment) de la cuenta en la configuración y después recárguela.",
    ),
}
"""Meaning and advice by code, as `exporter.account.codes` has them in English."""

_UNDOCUMENTED: Final = (
    "un código que el proveedor no documenta",
    "Pregunte al proveedor qué significa; el exportador vuelve a intentarlo.",
)

SPANISH: Final = Texts(
    language="es",
    title="Timbres CFDI",
    headline_well="Todas las cuentas están bien",
    headline_attention=("1 cuenta requiere atención", "{number} cuentas requieren atención"),
    headline_none="No hay cuentas configuradas",
    attention=("1 requiere atención", "{number} requieren atención"),
    as_of="Al {time}",
    refreshes="se actualiza cada {seconds} s",
    refresh_stop="detener",
    refresh_stopped="no se actualiza por sí sola",
    refresh_start="actualizar",
    other_language="English",
    footer="Los saldos son de la última consulta de cada cuenta. Ver esta página no consulta al proveedor.",
    links="Más páginas",
    metrics="Métricas",
    configuration="Configuración",
    health="Salud",
    readiness="Disponibilidad",
    summary="Resumen",
    stamps_in_all="timbres disponibles en total",
    accounts_known="{known} de {number} saldos conocidos",
    all_accounts="Todas",
    search="Buscar",
    search_hint="Nombre, entorno o etiqueta",
    search_clear="Borrar",
    accounts="Cuentas",
    found=("1 cuenta", "{number} cuentas"),
    found_for="para {search}",
    nothing_found="No se encontró nada.",
    pages="Páginas",
    page_of="Página {page} de {pages}",
    previous="Anterior",
    next="Siguiente",
    conditions={
        Condition.SUSPENDED: "Suspendida",
        Condition.EXHAUSTED: "Agotada",
        Condition.CRITICAL: "Crítica",
        Condition.LOW: "Baja",
        Condition.FAILING: "Con fallas",
        Condition.STALE: "Desactualizada",
        Condition.PENDING: "Sin consultar",
        Condition.OK: "Bien",
    },
    since="desde {time}",
    tries_used_up="se agotaron los intentos con esta credencial",
    below_warning="por debajo del umbral de advertencia",
    below_critical="por debajo del umbral crítico",
    no_balance_since="sin saldo desde {time}",
    no_balance_yet="sin saldo hasta ahora",
    older_than="el saldo tiene más de {time}",
    stamps="timbres",
    of_contracted="de {contracted} timbres",
    unknown="desconocido",
    last_known="último conocido: {stamps}, {time}",
    threshold_warning="advertencia bajo {stamps}",
    threshold_critical="crítico bajo {stamps}",
    bar="{available} de {contracted} timbres disponibles, {percent} %",
    bar_unknown="saldo desconocido",
    answer="El proveedor respondió {code}: {meaning}.",
    no_answer="Sin respuesta ({reason}): {detail}.",
    no_answer_before_restart="Sin saldo en la última consulta antes de reiniciar el exportador.",
    no_answer_yet="Sin respuesta hasta ahora.",
    without_balance="El proveedor respondió {code}, pero sin los timbres disponibles.",
    held_back=(
        "No se sabe qué fue de un intento, así que cuenta como rechazo durante una hora. "
        "Después el exportador lo intenta de nuevo. Una recarga con otra credencial no espera."
    ),
    to_lift="Para levantar la suspensión:",
    one_try="Para un nuevo intento con la misma credencial:",
    last_poll="Consultada",
    never="nunca",
    next_poll="Próxima consulta",
    no_poll="ninguna mientras esté suspendida",
    ago="hace {span}",
    ahead="en {span}",
    now="ahora",
    overdue="{span} de retraso",
    reasons={
        Reason.TIMEOUT: "tiempo agotado",
        Reason.CONNECTION: "conexión",
        Reason.TLS: "TLS",
        Reason.HTTP: "HTTP",
        Reason.FAULT: "error SOAP",
        Reason.INVALID: "respuesta inutilizable",
    },
    meaning=lambda code: CODES.get(code, _UNDOCUMENTED)[0],
    advice=lambda code: CODES.get(code, _UNDOCUMENTED)[1],
)
