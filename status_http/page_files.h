// The style and the script of the page.

#pragma once

#include <string_view>

namespace dory::status_http {

inline constexpr std::string_view kPageStyle = R"css(:root {
  color-scheme: light dark;
  --ground: #f5f6f8; --sheet: #ffffff; --ink: #1b2430; --faint: #5c6773; --line: #dfe3e8;
  --good: #18794e; --warn: #9a5b00; --bad: #c0262d; --bar: #2f6fde; --warn-ground: #fff6e0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11161c; --sheet: #1a2129; --ink: #e4e9ef; --faint: #93a0ad; --line: #2c3641;
    --good: #4cc38a; --warn: #f0b357; --bad: #ff7b80; --bar: #6ea0ff; --warn-ground: #2b2415;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 76rem; padding: 1.25rem; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif;
}
header { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .9rem; margin-bottom: 1rem; }
header p { margin: 0 0 0 auto; color: var(--faint); font-size: .87rem; text-align: right; }
h1 { margin: 0; font-size: 1.6rem; }
h1 small { font-weight: 400; font-size: 1.1rem; color: var(--faint); overflow-wrap: anywhere; }
h2 { margin: 0 0 .6rem; font-size: 1rem; }
.badge { padding: .1rem .7rem; border-radius: 1rem; color: var(--sheet); font-weight: 600; }
.badge.up { background: var(--good); }
.badge.moving { background: var(--warn); }
.badge.bad { background: var(--bad); }
section, .card {
  background: var(--sheet); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1rem;
  margin-bottom: 1rem;
}
.warnings { background: var(--warn-ground); border-color: var(--warn); }
.warnings ul { margin: 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
.figures { display: flex; flex-wrap: wrap; gap: .8rem; margin: 0 0 1rem; }
.card { flex: 1 1 9rem; margin: 0; padding: .7rem .8rem; }
.card dt { color: var(--faint); font-size: .83rem; white-space: nowrap; }
.card dd { margin: 0; font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.card.bad dd, td.bad { color: var(--bad); }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 0 1rem; }
.beside section { min-width: 0; }
.fill { display: grid; grid-template-columns: 2.4rem 1fr 11rem; align-items: center; gap: .8rem; margin: 0 0 .4rem; }
.fill span:first-child { color: var(--faint); }
.fill span:last-child { text-align: right; }
progress {
  width: 100%; height: .8rem; border: 0; border-radius: .4rem; overflow: hidden; background: var(--line);
  appearance: none;
}
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--bar); }
progress::-moz-progress-bar { background: var(--bar); }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
th { color: var(--faint); font-weight: 500; font-size: .87rem; }
th.figure, td.figure { text-align: right; }
th:last-child, td:last-child { padding-right: 0; }
td.name { max-width: 26rem; white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }
td.state::before { content: "●"; margin-right: .4rem; font-size: .8em; }
td.state.up::before { color: var(--good); }
td.state.moving::before { color: var(--warn); }
td.state.bad::before { color: var(--bad); }
.nothing { margin: 0; color: var(--faint); }
a { color: inherit; }
footer { color: var(--faint); font-size: .87rem; }
footer a { margin-right: .9rem; }
.lost { display: none; }
.stale main { opacity: .45; }
.stale .lost {
  display: block; position: fixed; inset: auto 0 0 0; margin: 0; padding: .7rem; text-align: center;
  background: var(--bad); color: var(--sheet); font-weight: 600;
}
)css";

// Figures that are selected, and a page that nobody sees, are left as they are.
inline constexpr std::string_view kPageScript = R"js("use strict";

const EVERY_MS = 2000;
const LIMIT_MS = 8000;

async function refresh() {
  try {
    const answer = await fetch("/", {cache: "no-store", signal: AbortSignal.timeout(LIMIT_MS)});
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) throw new Error(answer.status);
    document.querySelector("main").replaceWith(fresh.querySelector("main"));
    document.title = fresh.title;
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
  }
}

async function keepFresh() {
  if (!document.hidden && getSelection().type !== "Range") await refresh();
  setTimeout(keepFresh, EVERY_MS);
}

setTimeout(keepFresh, EVERY_MS);
)js";

}  // namespace dory::status_http
