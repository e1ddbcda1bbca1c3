"""One environment's provider: its WSDL, loaded when it is first needed, and the asking."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from exporter.account.login import Held, Tried
from exporter.account.outcome import Failure, Outcome, Reading, Reason, Verdict, unsent
from exporter.clock import Clock
from exporter.config import Account, Environment, Issuer
from exporter.provider.contract import Balance, Gate, Permit
from exporter.provider.http.error import TransportError
from exporter.provider.http.response import HttpAnswer
from exporter.provider.http.transport import Transport
from exporter.provider.solucion_factible.answer import read
from exporter.provider.solucion_factible.codes import LABELS, REQUEST_DOUBTED, SUCCESS
from exporter.provider.solucion_factible.operation import Operations
from exporter.provider.solucion_factible.recording import Recording
from exporter.provider.solucion_factible.wsdl_process import read_in_process

WSDL_TIMEOUT: Final = 60.0
"""Seconds to fetch and read a WSDL with all that it imports."""

WSDL_DOCUMENTS: Final = 16
"""Documents that a WSDL may consist of."""

WSDL_BYTES: Final = 1024 * 1024
"""Bytes of a WSDL with all that it imports. It has some ten thousand."""

_NOT_LOADED: Final = unsent(Reason.CONNECTION, "the WSDL was not loaded yet")
_RETIRED: Final = unsent(Reason.CONNECTION, "the configuration was reloaded meanwhile")


class _Reloads:
    """How often the WSDL may be loaded anew for one cause: seldomer each time, until there is no cause.

    ``longest`` are the seconds between two loads in the end.
    """

    def __init__(self, longest: float, now: float) -> None:
        self._longest = longest
        self._count = 0
        self.next = now
        """When the next one may be, on the monotonic clock."""

    def begin(self, now: float) -> None:
        """Take note of a load."""
        self.next = now + min(self._longest, 2.0**self._count)
        self._count = min(self._count + 1, 32)

    def reset(self) -> None:
        """Take note that there is no cause any more."""
        self._count = 0


class SolucionFactible:
    """Asks one environment's provider for balances. To be made in a running event loop.

    ``log`` takes an event's constant text and its fields.
    """

    labels = LABELS
    success = SUCCESS.label

    def __init__(
        self,
        environment: Environment,
        clock: Clock,
        log: Callable[..., object],
        recording: Recording | None = None,
    ) -> None:
        """``recording`` is told what comes over the wire; it is for a single call."""
        self.environment = environment
        self._recording = recording
        self._asking = 0
        self._retired = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._transport = Transport(environment, recording.connection if recording else None)
        self._clock = clock
        self._log = log
        self._operations: Operations | None = None
        self._loading: asyncio.Task[None] | None = None
        self._failure = _NOT_LOADED
        self._reloads = _Reloads(30.0, clock.monotonic())
        self._issuer_reloads = _Reloads(3600.0, clock.monotonic())

    async def close(self) -> None:
        """End all that is under way and close the connections."""
        if self._loading:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self._transport.close()

    def renew(self) -> None:
        """Read anew which certificates are trusted. Raises OSError, having changed nothing."""
        self._transport.renew()

    async def close_when_idle(self) -> None:
        """Close as ``close`` does, once no call is under way. From now on none begins."""
        self._retired = True
        await self._idle.wait()
        await self.close()

    async def ready(self, limit: float) -> Failure | None:
        """Load the WSDL where it is missing, waiting at most ``limit`` seconds; return why it can't be had.

        A provider without a WSDL is asked for it again after a while that doubles up to half a minute,
        however many accounts need it.
        """
        if self._operations:
            return None
        self._load_if_due(self._reloads)
        if self._loading:
            # Neither cancels the other: others wait for the loading too, and closing this ends no poll.
            done, _ = await asyncio.wait((self._loading,), timeout=limit)
            if not done:
                return unsent(Reason.TIMEOUT, f"the WSDL did not come within {limit:g} s")
        return None if self._operations else self._failure

    async def ask(self, balance: Balance, gate: Gate) -> Tried | Held:
        """Ask for a balance: one login, through the gate, within the account's timeout."""
        issuer = balance.issuer
        send = partial(self._send, balance.account, issuer)
        return await gate.attempt(balance.login, send, only_proven=issuer is not None)

    async def _send(self, account: Account, issuer: Issuer | None, permit: Permit) -> Outcome:
        operations = self._operations
        if self._retired:
            return _RETIRED
        if operations is None:
            return self._failure
        operation = operations.issuer if issuer else operations.account
        if isinstance(operation, Failure):
            self._load_if_due(self._issuer_reloads)
            return operation
        asked = (issuer.rfc,) if issuer else ()
        began = self._clock.monotonic()
        self._asking += 1
        self._idle.clear()
        try:
            answer = await self._transport.post(
                operation.path,
                lambda: operation.envelope(account.username, permit.password().reveal(), *asked),
                operation.soap_action,
                account.timeout,
            )
        except TransportError as error:
            outcome: Outcome = _lost(error)
        else:
            outcome = _judge(answer, self._clock.time(), of_issuer=issuer is not None)
            if self._recording:
                self._recording.answer, self._recording.outcome = answer, outcome
                self._recording.seconds = self._clock.monotonic() - began
        finally:
            self._asking -= 1
            if not self._asking:
                self._idle.set()
        self._watch(outcome, self._issuer_reloads if issuer else self._reloads)
        return outcome

    def _watch(self, outcome: Outcome, reloads: _Reloads) -> None:
        """Load the WSDL anew where the answers say that it has changed; go on with the old one meanwhile."""
        if isinstance(outcome, Reading):
            doubted = outcome.code.number in REQUEST_DOUBTED
            # Of many issuers some may always be answered so, for their RFC and not for our request.
            if not doubted and outcome.code.documented and reloads is self._reloads:
                reloads.reset()
        else:
            doubted = outcome.reason in (Reason.FAULT, Reason.HTTP, Reason.INVALID)
        if doubted:
            self._load_if_due(reloads)

    def _load_if_due(self, reloads: _Reloads) -> None:
        now = self._clock.monotonic()
        if self._loading is None and now >= reloads.next:
            reloads.begin(now)
            self._loading = asyncio.create_task(self._load(), name=f"wsdl {self.environment.name}")
            self._loading.add_done_callback(self._loaded)

    def _loaded(self, _task: asyncio.Task[None]) -> None:
        self._loading = None

    async def _load(self) -> None:
        loaded: Operations | Failure
        try:
            loaded = await self._read_wsdl()
        except TimeoutError:
            loaded = unsent(Reason.TIMEOUT, "loading the WSDL took too long")
        except TransportError as error:
            loaded = unsent(error.reason, f"loading the WSDL: {error.detail}")
        name = self.environment.name
        if not isinstance(loaded, Failure):
            if loaded != self._operations:
                self._log("WSDL loaded", pac_environment=name, path=loaded.account.path)
                self._issuer_reloads.reset()
            self._operations, self._failure = loaded, _NOT_LOADED
        elif loaded != self._failure:
            self._log("WSDL not loaded", pac_environment=name, reason=loaded.reason, detail=loaded.detail)
            self._failure = loaded
        if self._recording:
            self._recording.not_loaded = loaded if isinstance(loaded, Failure) else None

    async def _read_wsdl(self) -> Operations | Failure:
        """Fetch the WSDL and what it imports, and read them in a process of their own."""
        fetched: list[int] = []  # bytes of each document

        async def fetch(url: str, needed: bool) -> bytes | None:
            if len(fetched) == WSDL_DOCUMENTS:
                raise TransportError(Reason.INVALID, "the WSDL imports too many documents")
            fetched.append(0)
            try:
                document = await self._transport.get(url)
            except TransportError as error:
                if needed or error.reason is not Reason.HTTP:
                    raise
                return None
            fetched[-1] = len(document)
            if self._recording:
                self._recording.documents.append(document)
            if sum(fetched) > WSDL_BYTES:
                raise TransportError(Reason.INVALID, "the WSDL's documents are larger than 1 MiB")
            return document

        async with asyncio.timeout(WSDL_TIMEOUT):
            return await read_in_process(self.environment.wsdl, fetch)


def _judge(answer: HttpAnswer, now: float, *, of_issuer: bool) -> Outcome:
    """Return what an answer says, or what it means that it was cut short.

    A refusal counts in what came, and a status that is no success counts though its body was cut.
    """
    outcome = read(
        answer.status,
        answer.content_type,
        answer.body,
        now=now,
        whole=answer.whole,
        retry_after=answer.retry_after,
        of_issuer=of_issuer,
    )
    cut = answer.cut
    if cut is None or isinstance(outcome, Reading):
        return outcome
    if answer.status == 200:
        return _lost(cut)
    if cut.reason is Reason.TIMEOUT:
        # The service may have been busy with the credential all the time.
        neutral = outcome.verdict is Verdict.NEUTRAL
        verdict = Verdict.UNKNOWN_ON_THE_WAY if neutral else outcome.verdict
        return replace(outcome, reason=cut.reason, detail=cut.detail, verdict=verdict)
    return outcome


def _lost(error: TransportError) -> Failure:
    """Return what it means that no answer could be had. What isn't HTTP, or too much of it, was an answer."""
    if not error.sent:
        return unsent(error.reason, error.detail)
    invalid = error.reason is Reason.INVALID
    verdict = Verdict.UNKNOWN_FROM_SERVICE if invalid else Verdict.UNKNOWN_ON_THE_WAY
    return Failure(error.reason, error.detail, verdict=verdict)
