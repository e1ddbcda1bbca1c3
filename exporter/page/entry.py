"""PURE: one account: who it is, how it stands, until when it lasts, what it said, what to do."""

from exporter.account.expectation import Expected, expected
from exporter.account.forecast import Why
from exporter.account.outcome import Code, Effect, Failure
from exporter.page.drawing import balance_bar, days_bar, limits, number, percent, use_drawing
from exporter.page.expectation import usual_day
from exporter.page.markup import Html, element, joined, name, sentence
from exporter.page.moments import due, local, past, since, span
from exporter.page.query import encoded
from exporter.page.standing import DAY, SHORT, SOON, VERY_SOON, Account, Condition, Standing, last_known
from exporter.page.view import View

_LONG = 60  # characters: a longer name may be cut, and is told whole where the mouse rests on it


def entry(one: Standing, view: View) -> Html:
    """Return the entry of an account in the list."""
    title = one.account.name if len(one.account.name) > _LONG else None
    link = element("a", name(one.account.name), href=view.query.account(one.account.name))
    return element(
        "li",
        element(
            "div",
            element("h3", link, title=title),
            where(one.account, view),
            *state(one, view),
            class_="who",
        ),
        element("div", *lasting(one, view), class_="lasting"),
        element("div", *balance(one, view), class_="balance"),
        element("div", *to_do(one, view), *answer(one, view), polls(one, view), class_="last"),
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


def where(account: Account, view: View) -> Html:
    """Return the environment and the labels; each label leads to the accounts that have it, too."""
    kept = f"&lang={view.query.language}" if view.query.language else ""
    labels = [
        element(
            "a",
            name(f"{key}={value}"),
            href=f"{view.root}/?label={encoded(f'{key}={value}')}{kept}",
            class_="label",
        )
        for key, value in account.labels
    ]
    return element("p", joined((name(account.environment.name), *labels), " "), class_="where")


def state(one: Standing, view: View) -> tuple[Html, ...]:
    """Return the condition in a word, and why."""
    word = element("p", icon(one.condition), view.texts.conditions[one.condition], class_="state")
    why = _why(one, view)
    return (word, element("p", why, class_="why")) if why else (word,)


def _why(one: Standing, view: View) -> str | None:
    known, texts, now = one.state, view.texts, view.now
    match one.condition:
        case Condition.SUSPENDED if known.suspension:
            return sentence(texts.paused, time=since(known.suspension.since, now, texts))
        case Condition.SUSPENDED:
            return texts.waits
        case Condition.CRITICAL | Condition.LOW:
            critical = one.condition is Condition.CRITICAL
            above = one.account.threshold_above(one.available or 0)
            if above and (above[0] == "critical") is critical:
                return texts.below_critical if critical else texts.below_warning
            days = SOON if one.runs_out is None else (one.runs_out - now.timestamp()) / DAY
            if critical and days >= VERY_SOON:
                return texts.lasts_no_business_day
            return texts.lasts.format(number=VERY_SOON if critical else SOON)
        case Condition.FAILING if known.last_success is not None:
            return sentence(texts.no_balance_since, time=since(known.last_success, now, texts))
        case Condition.FAILING:
            return texts.no_balance_yet
        case Condition.STALE:
            return texts.older_than.format(time=span(one.account.stale_after))
    return None


def told(one: Standing, view: View) -> Expected | None:
    """Return what is expected of the last known balance, for a while after a start by what was stored."""
    known = one.state
    if known.profile is not None or one.runs_out is None or known.usual_day is None:
        return expected(known)
    return Expected(local(one.runs_out, view.now).date(), known.usual_day, known.history_days or 0, Why())


def lasting(one: Standing, view: View, *, drawn: bool = True) -> tuple[Html | None, ...]:
    """Return until when the stamps last, in words and drawn, and the last top-up."""
    texts, known = view.texts, one.state
    topped_up = _topped_up(one, view)
    until: str | None = None
    rest: str | None = None
    if known.available and known.available.stamps == 0:
        at = known.depletion if known.depletion is not None else known.available.at
        until = sentence(texts.empty_since, time=since(at, view.now, texts))
    elif expectation := told(one, view):
        until = texts.until.format(day=texts.day(expectation.until))
        rest = usual_day(expectation, texts)
    elif known.available and known.history_days:
        usual = known.usual_day or 0.0
        until = texts.over_a_year if usual else texts.no_use
    else:
        rest = texts.no_forecast
    comma = element("span", ", ", class_="unseen") if until and (rest or topped_up) else None
    line = joined((element("b", until) if until else None, comma, joined((rest, topped_up), "; ")))
    use = view.use.get(one.account.guard_key) if drawn else None
    return (
        element("p", line, class_="until") if line else None,
        days_bar(one, view.now.timestamp(), texts),
        use_drawing(use, texts) if use else None,
    )


def _topped_up(one: Standing, view: View) -> str | None:
    bought = one.state.topped_up
    if bought is None:
        return None
    day = view.texts.short_day(local(bought.at, view.now).date())
    return view.texts.topped_up.format(stamps=number(bought.stamps), day=day)


def balance(one: Standing, view: View) -> tuple[Html | None, ...]:
    """Return the balance, in words and drawn, and the thresholds."""
    marks = [
        element("span", template.format(stamps=number(stamps)), class_=f"limit {kind}")
        for kind, template, stamps in limits(one.account, view.texts)
    ]
    return (
        element("p", *_figure(one, view), class_="figure"),
        balance_bar(one, view.texts),
        element("p", joined(marks, " "), class_="limits") if marks else None,
    )


def _figure(one: Standing, view: View) -> tuple[Html | str, ...]:
    texts = view.texts
    if one.available is None:
        unknown, old = element("b", texts.unknown), last_known(one)
        if old is None:
            return (unknown,)
        known = sentence(texts.last_known, stamps=number(old.stamps), time=past(old.at, view.now, texts))
        return unknown, " ", element("span", known)
    available = element("b", number(one.available))
    if one.contracted is None:
        return available, f" {texts.stamps}"
    of = texts.of_contracted.format(contracted=number(one.contracted))
    share = () if one.share is None else (" ", element("span", f"{percent(one)}%", class_="share"))
    return available, f" {of}", *share


def to_do(one: Standing, view: View) -> list[Html]:
    """Return what somebody has to do; nothing where there is nothing to do but to wait."""
    texts, known = view.texts, one.state
    if known.suspension:
        advice = f"{texts.advice(known.suspension.code)} {texts.one_try}"
        return [_way_out(one.account, texts.to_lift, advice, view)]
    if known.blocked and known.next_poll is not None:
        return [_way_out(one.account, texts.sooner, texts.one_try_now, view)]
    match one.condition:
        case Condition.EXHAUSTED:
            buy = texts.buy
        case Condition.CRITICAL:
            buy = texts.buy_now
        case Condition.LOW if expectation := told(one, view):
            buy = texts.buy_before.format(day=texts.day(expectation.until))
        case Condition.LOW:
            buy = texts.buy_soon
        case _:
            return []
    return [element("p", element("b", buy), class_="to-do")]


def answer(one: Standing, view: View) -> list[Html]:
    """Return the last answer in our own words: the provider's could echo what it was sent."""
    known, outcome, texts = one.state, one.state.last_outcome, view.texts
    code = known.last_code
    if known.suspension:
        return [element("p", _said(known.suspension.code, view))]
    if known.blocked and known.next_poll is not None:
        return [element("p", sentence(texts.held_back, time=due(known.next_poll, view.now, texts)))]
    if isinstance(outcome, Failure):
        detail = element("span", outcome.detail, lang=None if texts.language == "en" else "en")
        return [element("p", sentence(texts.no_answer, reason=texts.reasons[outcome.reason], detail=detail))]
    if known.last_poll is None or code is None:
        return [element("p", texts.no_answer_yet)]
    if code.effect is Effect.BALANCE and known.up is False:
        # A code alone survives a restart; the failure that came after it doesn't.
        text = texts.without_balance if outcome else texts.no_answer_before_restart
        return [element("p", text.format(code=code.number))]
    if code.effect is Effect.BALANCE and not code.exhausted and one.condition in SHORT:
        return []  # "completed successfully" is not what is to be said of it
    said = [_said(code, view)]
    if code.effect is not Effect.BALANCE or (code.exhausted and one.condition is not Condition.EXHAUSTED):
        said.append(texts.advice(code))
    return [element("p", " ".join(said))]


def _said(code: Code, view: View) -> str:
    return view.texts.answer.format(code=code.number, meaning=view.texts.meaning(code))


def _way_out(account: Account, purpose: str, advice: str, view: View) -> Html:
    """Say how the account gets a new try. Nothing on the page does it: a page must not cause a login."""
    return element(
        "p",
        joined((element("b", purpose), advice), " "),
        " ",
        element("code", name(view.site.resume(account.name))),
        class_="way-out",
    )


def polls(one: Standing, view: View) -> Html:
    """Return when the account was last asked for, and when it is next."""
    known, texts, now = one.state, view.texts, view.now
    last = texts.never if known.last_poll is None else past(known.last_poll, now, texts)
    following = texts.no_poll if known.next_poll is None else due(known.next_poll, now, texts)
    return element(
        "p",
        element("span", f"{texts.last_poll} ", last),
        " ",
        element("span", f"{texts.next_poll}: ", following),
        class_="polls",
    )
