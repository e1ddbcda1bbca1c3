"""Schedules: what happens to a site, step by step, out of a seed and nothing else."""

import random
from dataclasses import dataclass, field
from typing import Any

from tests.support.schedules.answers import HONEST, NAMES, REFUSALS, SLOW, TROUBLE

PASSWORDS = ("right", "one", "two", "three")
MOMENTS = ("now", "as a login arrives", "after an answer")
SPELLINGS = ("ws{0}@acme.example", "WS{0}@Acme.example", "ｗs{0}@acme.example")
JUMPS = (-240.0, -60.0, 0.0, 60.0, 240.0)
"""Of the wall clock, in seconds from the machine's; tries lapse after an hour, and some after ten minutes."""


@dataclass(frozen=True)
class Step:
    """One thing that happens: the name of what does it, to which account, with what."""

    do: str
    who: int | None = None
    what: dict[str, Any] = field(default_factory=dict)
    pause: float = 0.0

    def __str__(self) -> str:
        account = "" if self.who is None else f" a{self.who}"
        what = ", ".join(f"{key} {value!r}" for key, value in self.what.items())
        return f"{self.do.replace('_', ' ')}{account}" + (f": {what}" if what else "")


@dataclass(frozen=True)
class Start:
    """How an account begins."""

    configured: str
    right: str
    auth_attempts: int
    always: str


@dataclass(frozen=True)
class Story:
    """A whole schedule."""

    seed: int
    starts: tuple[Start, ...]
    steps: tuple[Step, ...]


def tell(seed: int, accounts: int = 4, steps: int = 12) -> Story:
    """Make up the schedule of a seed."""
    dice = random.Random(seed)  # noqa: S311 - for schedules
    starts = tuple(
        Start(
            configured=dice.choice(PASSWORDS),
            right=dice.choice(("right", "right", "two", "another")),
            auth_attempts=dice.choice((1, 2, 2, 3)),
            always=_usual(dice),
        )
        for _ in range(accounts)
    )
    resumable = {who for who in range(accounts) if dice.random() < 0.3}
    return Story(seed, starts, tuple(_step(dice, accounts, resumable) for _ in range(steps)))


def _usual(dice: random.Random) -> str:
    """What a login gets where nothing else is said: mostly the truth, told in one form or another."""
    roll = dice.random()
    if roll < 0.4:
        return HONEST
    if roll < 0.75:
        return dice.choice(list(REFUSALS))
    return dice.choice(NAMES)


def _step(dice: random.Random, accounts: int, resumable: set[int]) -> Step:
    do = dice.choices(list(_STEPS), weights=[weight for weight, _ in _STEPS.values()])[0]
    who = dice.randrange(accounts)
    step = Step(do, who, _STEPS[do][1](dice), pause=dice.choice((0.0, 0.0, 0.2, 0.7, 1.3)))
    if do in {"full_disk", "outage", "jump", "second_daemon", "crash_loop", "wait"}:
        return Step(do, None, step.what, step.pause)
    if do == "resume" and who not in resumable:
        return Step("wait", None, {}, 1.0)
    if do == "check" and who not in resumable:
        return Step(do, who, {**step.what, "resume": False}, step.pause)
    return step


def _short(dice: random.Random) -> float:
    """A delay in which something of a few milliseconds may be hit."""
    return round(dice.choice((0.0, dice.random() * 0.01, dice.random() * 0.2, dice.random() * 1.5)), 4)


_STEPS: dict[str, tuple[int, Any]] = {
    "configure": (
        6,
        lambda dice: {
            "password": dice.choice(PASSWORDS),
            "spelling": dice.choice((0, 0, 0, 1, 2)),
            "renamed": dice.random() < 0.15,
            "reload": dice.random() < 0.7,
            "in_the_middle": dice.random() < 0.25,
        },
    ),
    "remove": (1, lambda _: {}),
    "turn": (4, lambda dice: {"right": dice.choice((*PASSWORDS, "another"))}),
    "answer": (
        5,
        lambda dice: {
            "with_": tuple(
                dice.choice((HONEST, *SLOW, *TROUBLE) if dice.random() < 0.7 else list(REFUSALS))
                for _ in range(dice.randint(1, 3))
            )
        },
    ),
    "check": (
        4,
        lambda dice: {
            "resume": dice.random() < 0.3,
            "then": dice.choice(("wait", "wait", "go on", "kill", "freeze")),
            "delay": _short(dice),
        },
    ),
    "resume": (1, lambda _: {}),
    "kill": (
        5,
        lambda dice: {
            "when": dice.choice(MOMENTS),
            "delay": _short(dice),
            "answer_first": dice.random() < 0.5,
            "restart": dice.random() < 0.85,
        },
    ),
    "crash_loop": (1, lambda dice: {"delays": tuple(round(0.3 + dice.random() * 1.5, 2) for _ in range(3))}),
    "stop": (
        3,
        lambda dice: {
            "when": dice.choice(MOMENTS),
            "delay": _short(dice),
            "answer_first": dice.random() < 0.5,
            "restart": dice.random() < 0.85,
        },
    ),
    "freeze": (
        4,
        lambda dice: {
            "when": dice.choice(MOMENTS),
            "delay": _short(dice),
            "seconds": dice.choice((0.3, 1.3, 2.2)),
        },
    ),
    "full_disk": (
        1,
        lambda dice: {"seconds": dice.choice((0.5, 1.5, 3.0)), "then": dice.choice(("", "kill", "stop"))},
    ),
    "outage": (
        1,
        lambda dice: {"seconds": dice.choice((0.5, 1.5, 2.5)), "of": dice.choice(("all", "the WSDL"))},
    ),
    "jump": (2, lambda dice: {"to": dice.choice(JUMPS)}),
    "second_daemon": (1, lambda _: {}),
    "wait": (3, lambda _: {}),
}
"""What can happen, how often, and how its details are thrown."""
