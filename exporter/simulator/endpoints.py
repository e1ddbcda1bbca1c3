"""What the simulated provider serves: the SOAP service, and the control of its accounts."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from email.message import Message
from typing import Final

from aiohttp import HttpVersion11, hdrs, web

from exporter.simulator import control, soap
from exporter.simulator.accounts import Account
from exporter.simulator.control import ControlError
from exporter.simulator.issuers import Issuer
from exporter.simulator.provider import Provider
from exporter.simulator.soap import SOAP12, SoapFaultError, SoapVersion
from exporter.simulator.wsdl import PORTS, SERVICE_PATH, wsdl_text

_MOST_BYTES: Final = 64 * 1024  # of a request's body
_ACCOUNTS_A_TURN: Final = 500  # of a long list, so that calls are answered meanwhile
_LONGEST_RFC: Final = 13

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(provider: Provider) -> web.Application:
    """All routes of a provider: its service and its control."""
    application = web.Application(client_max_size=_MOST_BYTES)
    application.add_routes(_soap_routes(provider))
    application.add_routes(_control_routes(provider))
    return application


def _soap_routes(provider: Provider) -> list[web.RouteDef]:
    wsdl = wsdl_text()

    async def describe_service(request: web.Request) -> web.Response:
        if not any(key.lower() == "wsdl" for key in request.query):
            raise web.HTTPNotFound
        return web.Response(text=wsdl, content_type="text/xml", charset="UTF-8")

    routes = [web.get(SERVICE_PATH, describe_service)]
    for port in PORTS:
        if port.version is not None:  # the HTTP binding is only described: nobody is to send passwords by it
            handler = _soap_handler(provider, port.version)
            routes += [web.post(port.path, handler), web.post(port.path.rstrip("/"), handler)]
    return routes


def _soap_handler(provider: Provider, version: SoapVersion) -> _Handler:
    async def answer_call(request: web.Request) -> web.Response:
        try:
            call = soap.read_call(await request.read(), version, _action(request, version))
        except SoapFaultError as fault:
            return _xml(request, soap.write_fault(fault, version), version, status=500)
        # A real provider counts a login when it comes in, even if the caller doesn't wait for the answer.
        answer = provider.answer(call)
        await asyncio.sleep(provider.delay(call))
        return _xml(request, soap.write_answer(answer, call, version), version)

    return answer_call


def _action(request: web.Request, version: SoapVersion) -> str:
    """The SOAPAction: a header in SOAP 1.1, a parameter of the content type in SOAP 1.2; "" if there is none.

    Raise SoapFaultError for another version's content type.
    """
    if request.content_type != version.content_type:
        raise SoapFaultError(f"The content type must be {version.content_type}.")
    if version is SOAP12:
        content_type = Message()
        content_type[hdrs.CONTENT_TYPE] = request.headers[hdrs.CONTENT_TYPE]
        return str(content_type.get_param("action", ""))
    return request.headers.get("SOAPAction", "").strip('"')


def _xml(request: web.Request, body: bytes, version: SoapVersion, status: int = 200) -> web.Response:
    response = web.Response(body=body, status=status, content_type=version.content_type, charset="UTF-8")
    if request.version >= HttpVersion11:  # chunked as Axis2 answers; HTTP/1.0 has no chunks
        response.enable_chunked_encoding()
    return response


def _control_routes(provider: Provider) -> list[web.RouteDef]:
    async def list_accounts(_request: web.Request) -> web.Response:
        described: list[dict[str, object]] = []
        for account in provider.accounts.values():
            if len(described) % _ACCOUNTS_A_TURN == 0:
                await asyncio.sleep(0)
            described.append(control.describe(account, provider.now()))
        return web.json_response(described)

    async def show_account(request: web.Request) -> web.Response:
        return web.json_response(control.describe(_account(request, provider), provider.now()))

    async def change_account(request: web.Request) -> web.Response:
        _refuse_browsers(request)
        account = _account(request, provider)
        try:
            control.change(account, control.read_changes(await request.read()), provider.now())
        except ControlError as error:
            raise _problem(web.HTTPBadRequest, str(error)) from None
        return web.json_response(control.describe(account, provider.now()))

    async def list_issuers(request: web.Request) -> web.Response:
        described: list[dict[str, object]] = []
        for issuer in list(_account(request, provider).issuers.values()):
            if len(described) % _ACCOUNTS_A_TURN == 0:
                await asyncio.sleep(0)
            described.append(control.describe_issuer(issuer, provider.now()))
        return web.json_response(described)

    async def show_issuer(request: web.Request) -> web.Response:
        issuer = _account(request, provider).issuers.get(request.match_info["rfc"])
        if issuer is None:
            raise _problem(web.HTTPNotFound, "the account has no issuer of this RFC")
        return web.json_response(control.describe_issuer(issuer, provider.now()))

    async def change_issuer(request: web.Request) -> web.Response:
        _refuse_browsers(request)
        issuers, rfc = _account(request, provider).issuers, request.match_info["rfc"]
        issuer = issuers.get(rfc) or Issuer(rfc)
        try:
            changes = control.read_issuer_changes(await request.read())
            control.change_issuer(issuer, changes, provider.now())
        except ControlError as error:
            raise _problem(web.HTTPBadRequest, str(error)) from None
        if rfc not in issuers and len(rfc) > _LONGEST_RFC:
            raise _problem(web.HTTPBadRequest, f"an RFC has at most {_LONGEST_RFC} characters")
        issuers[rfc] = issuer
        return web.json_response(control.describe_issuer(issuer, provider.now()))

    return [
        web.get("/simulator/accounts", list_accounts),
        web.get("/simulator/accounts/{username}", show_account),
        web.post("/simulator/accounts/{username}", change_account),
        web.get("/simulator/accounts/{username}/issuers", list_issuers),
        web.get("/simulator/accounts/{username}/issuers/{rfc}", show_issuer),
        web.post("/simulator/accounts/{username}/issuers/{rfc}", change_issuer),
    ]


def _account(request: web.Request, provider: Provider) -> Account:
    account = provider.accounts.get(request.match_info["username"])
    if account is None:
        raise _problem(web.HTTPNotFound, "no account has this username")
    return account


def _refuse_browsers(request: web.Request) -> None:
    """Keep web pages from driving the simulator: browsers send Origin, and this type only after asking."""
    if hdrs.ORIGIN in request.headers:
        raise _problem(web.HTTPForbidden, "requests from web pages are refused")
    if request.content_type != "application/json":
        raise _problem(web.HTTPUnsupportedMediaType, "the content type must be application/json")


def _problem(status: type[web.HTTPError], text: str) -> web.HTTPError:
    return status(text=json.dumps({"error": text}), content_type="application/json")
