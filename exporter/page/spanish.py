"""PURE: the words of the page in Spanish."""

from datetime import date
from typing import Final

from exporter.account.outcome import Reason
from exporter.page.standing import Condition
from exporter.page.texts import Texts

_WEEKDAYS: Final = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_MONTHS: Final = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
    *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
)


def _day(day: date) -> str:
    return f"{_WEEKDAYS[day.weekday()]} {day.day} de {_MONTHS[day.month - 1]}"


def _short_day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


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
    waits="en espera: no se conoce el resultado de los últimos intentos",
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
    until="hasta el {day}, unos {stamps} al día",
    because="{day}, como el {as_on}",
    by_few_days=("según 1 día de consumo", "según {number} días de consumo"),
    day=_day,
    short_day=_short_day,
    answer="El proveedor respondió {code}: {meaning}.",
    no_answer="Sin respuesta ({reason}): {detail}.",
    no_answer_before_restart="Sin saldo en la última consulta antes de reiniciar el exportador.",
    no_answer_yet="Sin respuesta hasta ahora.",
    without_balance="El proveedor respondió {code}, pero sin los timbres disponibles.",
    held_back=(
        "No se sabe en qué terminaron los últimos intentos. Pueden haber sido rechazados, y demasiados "
        "rechazos bloquean la cuenta; por eso el exportador espera. Próximo intento: {time}."
    ),
    buy="Compre timbres: la facturación está detenida.",
    to_lift="Para levantar la suspensión:",
    one_try="Para un nuevo intento con la misma credencial:",
    sooner="Para intentarlo antes:",
    one_try_now="Revise la credencial. Después, una vez por hora como máximo:",
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
    meaning=lambda code: code.spanish[0],
    advice=lambda code: code.spanish[1],
)
