"""PURE: one account, as an entry of the list."""

import shlex
from collections.abc import Sequence
from typing import Final

from exporter.account.expectation import expected
from exporter.account.outcome import Code, Effect, Failure
from exporter.page.expectation import in_words
from exporter.page.markup import Html, element, joined, name, sentence
from exporter.page.moments import due, past, since, span
from exporter.page.standing import Account, Condition, Standing, last_known
from exporter.page.texts import Texts

_LONG: Final = 60  # characters: a longer name may be cut, and is told whole where the mouse rests on it


def entry(one: Standing, now: float, texts: Texts, check: Sequence[str]) -> Html:
    """Return the entry of an account: who it is, how it stands, its balance, its last answer, its polls.

    ``check`` is the command that asks for an account, without the account.
    """
    return element(
        "li",
        element("div", *_identity(one.account), class_="who"),
        element("div", *_state(one, now, texts), class_="stands"),
        element("div", *_balance(one, now, texts), class_="balance"),
        element("div", *_answer(one, now, texts, check), _polls(one, now, texts), class_="last"),
        class_=f"account {tone(one.condition)}",
    )


def icon(condition: Condition) -> Html:
    """Return the sign of a condition, which stands beside its word."""
    use = element("use", href=f"#{condition.name.lower()}")
    return element("svg", use, class_="icon", aria_hidden="true")


def tone(condition: Condition) -> str:
    """Return the class that gives a condition its colour."""
    match condition:
        case Condition.SUSPENDED | Condition.EXHAUSTED | Condition.CRITICAL:
            return "bad"
        case Condition.LOW | Condition.FAILING:
            return "warn"
        case Condition.STALE | Condition.PENDING:
            return "dim"
        case Condition.OK:
            return "good"


def number(stamps: int) -> str:
    """Return a number as it is written in the United States and in Mexico alike."""
    return f"{stamps:,}"


def _identity(account: Account) -> tuple[Html, ...]:
    labels = (name(f"{key}={value}", "label") for key, value in account.labels)
    title = account.name if len(account.name) > _LONG else None
    return (
        element("h3", name(account.name), title=title),
        element("p", joined((name(account.environment.name), *labels), " "), class_="where"),
    )


def _state(one: Standing, now: float, texts: Texts) -> tuple[Html, ...]:
    word = element("p", icon(one.condition), texts.conditions[one.condition], class_="state")
    why = _why(one, now, texts)
    return (word, element("p", why, class_="why")) if why else (word,)


def _why(one: Standing, now: float, texts: Texts) -> str | None:
    state = one.state
    match one.condition:
        case Condition.SUSPENDED if state.suspension:
            return sentence(texts.since, time=since(state.suspension.since, now, texts))
        case Condition.SUSPENDED:
            return texts.waits
        case Condition.CRITICAL:
            return texts.below_critical
        case Condition.LOW:
            return texts.below_warning
        case Condition.FAILING if state.last_success is not None:
            return sentence(texts.no_balance_since, time=since(state.last_success, now, texts))
        case Condition.FAILING:
            return texts.no_balance_yet
        case Condition.STALE:
            return texts.older_than.format(time=span(one.account.stale_after))
    return None


def _balance(one: Standing, now: float, texts: Texts) -> tuple[Html | None, ...]:
    limits = [
        element("span", template.format(stamps=number(stamps)), class_=f"limit {kind}")
        for kind, template, stamps in _limits(one.account, texts)
    ]
    return (
        element("p", *_figure(one, now, texts), class_="figure"),
        _bar(one, texts),
        element("p", joined(limits, " "), class_="limits") if limits else None,
        element("p", in_words(told, texts), class_="until") if (told := expected(one.state)) else None,
    )


def _limits(account: Account, texts: Texts) -> list[tuple[str, str, int]]:
    limits = (
        ("warning", texts.threshold_warning, account.warning),
        ("critical", texts.threshold_critical, account.critical),
    )
    return [(kind, template, stamps) for kind, template, stamps in limits if stamps is not None]


def _figure(one: Standing, now: float, texts: Texts) -> tuple[Html | str, ...]:
    if one.available is None:
        unknown, old = element("b", texts.unknown), last_known(one)
        if old is None:
            return (unknown,)
        known = sentence(texts.last_known, stamps=number(old.stamps), time=past(old.at, now, texts))
        return unknown, " ", element("span", known)
    available = element("b", number(one.available))
    if one.contracted is None:
        return available, f" {texts.stamps}"
    of = texts.of_contracted.format(contracted=number(one.contracted))
    share = () if one.share is None else (" ", element("span", f"{_percent(one)}%", class_="share"))
    return available, f" {of}", *share


def _bar(one: Standing, texts: Texts) -> Html | None:
    """Return the balance drawn against what was contracted, with the thresholds; the words are its label."""
    if one.available is None:
        track = element("rect", class_="nothing", x="0.5", y="3.5", width="99.5%", height="7", rx="3.5")
        return _drawing(texts.bar_unknown, track)
    if one.share is None:
        return None
    words = [template.format(stamps=number(stamps)) for _, template, stamps in _limits(one.account, texts)]
    if one.contracted is None:
        label = f"{number(one.available)} {texts.stamps}"
    else:
        label = texts.bar.format(
            available=number(one.available), contracted=number(one.contracted), percent=_percent(one)
        )
    marks = [
        element("line", class_=kind, x1=at, x2=at, y1="0", y2="14")
        for kind, _, stamps in _limits(one.account, texts)
        if one.contracted and stamps <= one.contracted and (at := f"{100 * stamps / one.contracted:.2f}%")
    ]
    track = element("rect", class_="track", y="3", width="100%", height="8", rx="4")
    left = element("rect", class_="left", y="3", width=f"{100 * one.share:.2f}%", height="8", rx="4")
    return _drawing("; ".join((label, *words)), track, left, *marks)


def _drawing(label: str, *content: Html) -> Html:
    return element("svg", *content, class_="bar", role="img", aria_label=label, width="100%", height="14")


def _percent(one: Standing) -> str:
    percent = int(100 * (one.share or 0.0))  # rounded down: there is never less than it says
    return "<1" if one.available and not percent else str(percent)


def _answer(one: Standing, now: float, texts: Texts, check: Sequence[str]) -> list[Html]:
    """Return the last answer in our own words: the provider's could echo what it was sent."""
    state, outcome = one.state, one.state.last_outcome
    code = state.last_code
    if state.suspension:
        code = state.suspension.code
        return [
            element("p", _said(code, texts)),
            _way_out(one.account, texts.to_lift, f"{texts.advice(code)} {texts.one_try}", check),
        ]
    if state.blocked and state.next_poll is not None:
        return [
            element("p", sentence(texts.held_back, time=due(state.next_poll, now, texts))),
            _way_out(one.account, texts.sooner, texts.one_try_now, check),
        ]
    if isinstance(outcome, Failure):
        detail = element("span", outcome.detail, lang=None if texts.language == "en" else "en")
        return [element("p", sentence(texts.no_answer, reason=texts.reasons[outcome.reason], detail=detail))]
    if state.last_poll is None or code is None:
        return [element("p", texts.no_answer_yet)]
    if code.effect is Effect.BALANCE and state.up is False:
        # A code alone survives a restart; the failure that came after it doesn't.
        text = texts.without_balance if outcome else texts.no_answer_before_restart
        return [element("p", text.format(code=code.number))]
    said = [_said(code, texts)]
    if one.condition is Condition.EXHAUSTED:
        said.append(texts.buy)
    elif code.exhausted or code.effect is not Effect.BALANCE:
        said.append(texts.advice(code))
    return [element("p", " ".join(said))]


def _said(code: Code, texts: Texts) -> str:
    return texts.answer.format(code=code.number, meaning=texts.meaning(code))


def _way_out(account: Account, purpose: str, advice: str, check: Sequence[str]) -> Html:
    """Say how the account gets a new try. Nothing on the page does it: a page must not cause a login."""
    command = [*check, "--resume", account.name]
    if account.name.startswith("-"):
        command.insert(-1, "--")
    return element(
        "p",
        joined((element("b", purpose), advice), " "),
        " ",
        element("code", name(shlex.join(command))),
        class_="way-out",
    )


def _polls(one: Standing, now: float, texts: Texts) -> Html:
    state = one.state
    last = texts.never if state.last_poll is None else past(state.last_poll, now, texts)
    following = texts.no_poll if state.next_poll is None else due(state.next_poll, now, texts)
    return element(
        "p",
        element("span", f"{texts.last_poll} ", last),
        " ",
        element("span", f"{texts.next_poll}: ", following),
        class_="polls",
    )
