"""PURE: the words of the page in Spanish, those for the provider's codes included."""

from collections.abc import Mapping
from typing import Final

from exporter.account.outcome import Reason
from exporter.page.standing import Condition
from exporter.page.texts import Texts


"""Meaning and advice by code, as `exporter.account.codes` has them in English."""


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
    buy="Compre timbres: la facturación está detenida.",
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
    meaning=lambda code: code.spanish[0],
    advice=lambda code: code.spanish[1],
)
