"""What a name on the command line stands for: an account, or ACCOUNT/ISSUER."""

from exporter.config import Account, Config, Issuer
from exporter.suggestion import suggestion


def find(config: Config, name: str) -> Account | None:
    """Return the configured account of this name."""
    return next((account for account in config.accounts if account.name == name), None)


def find_issuer(config: Config, name: str) -> tuple[Account, Issuer] | None:
    """Return what is configured as ACCOUNT/ISSUER. The longest name that is an account's is taken for it."""
    account, issuer_name = _split(config, name)
    named = (issuer for issuer in account.issuers if issuer.name == issuer_name) if account else iter(())
    issuer = next(named, None)
    return (account, issuer) if account and issuer else None


def unknown(config: Config, name: str) -> str:
    """Return what to say where no account or issuer is called so."""
    account, issuer_name = _split(config, name)
    if account:
        close = suggestion(issuer_name, [issuer.name for issuer in account.issuers])
        return f"{config.path}: account {account.name} has no issuer called {issuer_name}{close}"
    known = [account.name for account in config.accounts]
    return f"{config.path}: no account is called {name}{suggestion(name, known)}"


def _split(config: Config, name: str) -> tuple[Account | None, str]:
    """Return the account that a name begins with, and what stands behind its slash. Names can hold more."""
    accounts = {account.name: account for account in config.accounts}
    for place in range(len(name) - 1, -1, -1):
        if name[place] == "/" and (account := accounts.get(name[:place])):
            return account, name[place + 1 :]
    return None, ""
