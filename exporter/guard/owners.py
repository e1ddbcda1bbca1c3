"""Which record of a refused credential is whose: fingerprints tell, once for each record and password."""

from exporter.account.login import Login
from exporter.guard import records
from exporter.guard.credential import Fingerprint, Fingerprints
from exporter.guard.records import Codes, Record
from exporter.storage.engine import Storage


class Owners:
    """Finds a login's own record among those of all its passwords. To be made in a running event loop."""

    def __init__(self, storage: Storage, codes: Codes) -> None:
        self._storage = storage
        self._codes = codes
        self._fingerprints = Fingerprints()
        # By record, those that this process has made or compared: they need no fingerprint any more.
        self._logins: dict[int, Login] = {}

    async def identify(self, login: Login) -> Record | None:
        """Find the record of a login's password among those of the login, and tell the others apart.

        It takes long where passwords are to be compared. Raises StorageError.
        """
        found = await self._storage.transact(
            lambda db: records.of_login(db, login.key, self._codes), durable=False
        )
        own: list[Record] = []
        for record in found:
            if record.id == login.record:
                own.append(record)
            elif record.id in login.others:
                continue
            elif await self._is_own(login, record):
                own.append(record)
            else:
                login.others.add(record.id)
        if not own:
            login.record = None
            return None
        # There is one; a file of an earlier version may have more: the one that holds most against it counts.
        kept = max(own, key=lambda record: (record.suspension is not None, record.refusals))
        login.others |= {record.id for record in own} - {kept.id}
        login.refusals = kept.refusals
        self.give(login, kept.id)
        return kept

    async def _is_own(self, login: Login, record: Record) -> bool:
        if (known := self._logins.get(record.id)) is not None:
            return known.password == login.password
        return await self._fingerprints.match(login.password, record.fingerprint)

    async def fingerprint(self, login: Login) -> Fingerprint:
        """Return a new fingerprint of a login's password. Raises StorageError where none can be made."""
        return await self._fingerprints.make(login.password)

    def give(self, login: Login, record: int) -> None:
        """Take a record for that of a login's password."""
        login.record = record
        self._logins[record] = login

    def take(self, login: Login) -> None:
        """Forget a login's record: it has none any more."""
        if login.record is not None:
            self._logins.pop(login.record, None)
            login.record = None
