"""PURE: how the page looks: its one style, its signs, and the policy that allows it nothing else."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from exporter.page.markup import Html
from exporter.page.standing import Condition

_SIGNS: Final[Mapping[Condition, str]] = {
    Condition.SUSPENDED: '<circle cx="8" cy="8" r="6.8"/><path d="M6.1 5.4v5.2M9.9 5.4v5.2"/>',
    Condition.EXHAUSTED: '<circle cx="8" cy="8" r="6.8"/><path d="M3.2 12.8 12.8 3.2"/>',
    Condition.CRITICAL: '<path d="M5.2 1.2h5.6l4 4v5.6l-4 4H5.2l-4-4V5.2z"/><path d="M8 4.6v4M8 11.3v.01"/>',
    Condition.LOW: '<path d="M8 1.5 15 14H1z"/><path d="M8 6.2v3.6M8 12v.01"/>',
    Condition.FAILING: '<circle cx="8" cy="8" r="6.8"/><path d="m5.6 5.6 4.8 4.8m0-4.8-4.8 4.8"/>',
    Condition.STALE: '<circle cx="8" cy="8" r="6.8"/><path d="M8 4v4l2.7 1.7"/>',
    Condition.PENDING: '<circle cx="8" cy="8" r="6.8"/><path d="M4.8 8v.01M8 8v.01M11.2 8v.01"/>',
    Condition.OK: '<circle cx="8" cy="8" r="6.8"/><path d="m4.9 8.3 2.2 2.2 4.1-4.6"/>',
}

SIGNS: Final = Html(
    '<svg class="signs" aria-hidden="true">'
    + "".join(
        f'<symbol id="{condition.name.lower()}" viewBox="0 0 16 16">{drawing}</symbol>'
        for condition, drawing in _SIGNS.items()
    )
    + "</svg>"
)
"""The drawings of all conditions; each has a shape of its own, for those who see colours differently."""

STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1b2129; --dim: #566070; --line: #dde2e8; --link: #0b57b0;
  --track: #e4e8ed; --bad: #b3261e; --warn: #8a5200; --good: #1c7037; --quiet: #eef0f3;
  --bad-tint: #fcebea; --warn-tint: #fdf1dc; --good-tint: #e6f4ea; --dim-tint: #eef0f3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1318; --card: #171c23; --ink: #e7eaef; --dim: #a0aab8; --line: #2a313b; --link: #84b8ff;
    --track: #2b333e; --bad: #ff8f86; --warn: #f2b65c; --good: #6bd28b; --quiet: #212832;
    --bad-tint: #3a1d1c; --warn-tint: #36290f; --good-tint: #14301d; --dim-tint: #232a34;
  }
}
*, ::before, ::after { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1.25rem 2rem; max-width: 76rem; background: var(--page); color: var(--ink);
  font: 0.9375rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
h1, h2, h3, p, ul, ol { margin: 0; padding: 0; }
ul, ol { list-style: none; }
a { color: var(--link); text-underline-offset: 0.15em; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
small { font-size: inherit; }
b { font-weight: 600; }
.signs { position: absolute; width: 0; height: 0; }
symbol { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
.icon { width: 1em; height: 1em; flex: none; overflow: visible; }
.unseen {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.bad { --tone: var(--bad); --tint: var(--bad-tint); }
.warn { --tone: var(--warn); --tint: var(--warn-tint); }
.good { --tone: var(--good); --tint: var(--good-tint); }
.dim { --tone: var(--dim); --tint: var(--dim-tint); }

header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0.75rem 2rem; }
h1 { font-size: 1.375rem; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em; }
.headline { display: flex; align-items: center; gap: 0.45rem; color: var(--tone); font-weight: 600; }
.meta { color: var(--dim); font-size: 0.8125rem; text-align: end; }

.summary { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 1.25rem 0; align-items: stretch; }
.summary nav { flex: 1 1 30rem; }
.summary ul { display: flex; flex-wrap: wrap; gap: 0.5rem; height: 100%; }
.summary li { flex: 1 1 auto; max-width: 11rem; display: flex; }
.total, .summary a {
  border: 1px solid var(--line); border-radius: 0.6rem; background: var(--card); padding: 0.6rem 0.9rem;
}
.total { flex: 0 1 auto; display: flex; flex-direction: column; }
.total b { font-size: 1.5rem; line-height: 1.25; letter-spacing: -0.01em; }
.total span, .total small { color: var(--dim); font-size: 0.8125rem; }
.summary a {
  flex: 1; color: inherit; text-decoration: none; display: flex; flex-direction: column;
  justify-content: center;
}
.summary a:hover { border-color: var(--dim); }
.summary a[aria-current] { border-color: var(--ink); box-shadow: inset 0 0 0 1px var(--ink); }
.summary a b { font-size: 1.25rem; line-height: 1.25; }
.summary a span {
  display: flex; align-items: center; gap: 0.35rem; font-size: 0.8125rem; color: var(--tone, var(--dim));
  white-space: nowrap;
}

.finding { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; margin-bottom: 0.75rem; }
.finding:not(:has(form, p)) { display: none; }
form {
  display: flex; flex-wrap: wrap; flex: 0 1 32rem; gap: 0.5rem; align-items: center;
  min-width: 0; max-width: 100%;
}
input, button {
  font: inherit; color: inherit; border: 1px solid var(--dim); border-radius: 0.5rem;
  padding: 0.4rem 0.75rem; background: var(--card);
}
input { flex: 1 1 8rem; min-width: 0; }
input::placeholder { color: var(--dim); opacity: 1; }
button { background: var(--quiet); cursor: pointer; }
.found { color: var(--dim); overflow-wrap: anywhere; min-width: 0; }

.accounts, .nothing-found { border: 1px solid var(--line); border-radius: 0.75rem; background: var(--card); }
.nothing-found { padding: 2rem 1.1rem; text-align: center; color: var(--dim); }
.account {
  display: grid; gap: 0.5rem 1.5rem; padding: 1rem 1.1rem; align-items: start;
  grid-template-columns: minmax(0, 20fr) minmax(0, 19fr) minmax(0, 30fr) minmax(0, 41fr);
}
.account + .account { border-top: 1px solid var(--line); }
.account > div { min-width: 0; }
h3 {
  font-size: 1rem; line-height: 1.4; font-weight: 600; overflow-wrap: anywhere; white-space: pre-wrap;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 5; overflow: hidden;
}
.where, .why, .limits, .polls { color: var(--dim); font-size: 0.8125rem; }
.where { display: flex; flex-wrap: wrap; gap: 0.15rem 0.4rem; align-items: baseline; }
.where bdi { overflow: hidden; text-overflow: ellipsis; max-width: 100%; white-space: nowrap; }
.label { background: var(--quiet); border-radius: 0.3rem; padding: 0 0.35rem; }
.state {
  display: inline-flex; align-items: center; gap: 0.4rem; padding: 0.1rem 0.6rem 0.1rem 0.5rem;
  border-radius: 1rem; background: var(--tint); color: var(--tone); font-weight: 600; font-size: 0.875rem;
}
.why { margin-top: 0.2rem; }
.figure {
  display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.35rem; color: var(--dim);
  font-size: 0.8125rem;
}
.figure b { font-size: 1.125rem; line-height: 1.35; color: var(--ink); }
.figure .share { margin-inline-start: auto; }
.bar { display: block; margin: 0.2rem 0 0.15rem; overflow: visible; }
.track { fill: var(--track); }
.left { fill: var(--tone); }
.nothing { fill: none; stroke: var(--dim); stroke-dasharray: 3 3; }
.bar line { stroke-width: 2; }
.bar .warning { stroke: var(--warn); }
.bar .critical { stroke: var(--bad); }
.limits { display: flex; flex-wrap: wrap; gap: 0 0.7rem; font-size: 0.75rem; }
.limit {
  border-inline-start: 2px solid; padding-inline-start: 0.35rem; line-height: 1.2; margin-top: 0.2rem;
}
.limit.warning { border-color: var(--warn); }
.limit.critical { border-color: var(--bad); }
.last { font-size: 0.875rem; overflow-wrap: anywhere; }
.way-out { margin-top: 0.25rem; }
.way-out code { display: block; width: fit-content; margin-top: 0.2rem; }
.good .last { color: var(--dim); }
code {
  font: 0.8125rem/1.4 ui-monospace, "SFMono-Regular", Menlo, Consolas, "Liberation Mono", monospace;
  background: var(--quiet); border-radius: 0.3rem; padding: 0.05rem 0.3rem; white-space: pre-wrap;
}
.polls { display: flex; flex-wrap: wrap; gap: 0 1rem; margin-top: 0.2rem; }
.polls time, time small { white-space: nowrap; }

.paging { display: flex; justify-content: center; gap: 1.25rem; margin: 1rem 0; }
footer {
  margin-top: 1.5rem; color: var(--dim); font-size: 0.8125rem; display: flex; flex-wrap: wrap;
  gap: 0.35rem 1.5rem; justify-content: space-between;
}
footer ul { display: flex; flex-wrap: wrap; gap: 0 1rem; }

@media (max-width: 60rem) {
  .account { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
}
@media (max-width: 40rem) {
  body { padding: 1rem 0.75rem 1.5rem; }
  .meta { text-align: start; display: flex; flex-wrap: wrap; gap: 0 0.9rem; }
  .summary nav { flex-basis: 100%; }
  .total { flex: 1; }
  .account { grid-template-columns: minmax(0, 1fr); }
  .polls time, time small, .summary a span { white-space: normal; }
}
@media print { .meta a, form, .paging { display: none; } }
"""

_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_DIGEST}'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""The Content-Security-Policy of the page: this one style, and forms to itself."""
