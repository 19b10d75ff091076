"""The page's style sheet: light and dark, screen and paper, wide and narrow."""

CSS = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1a1d21; --soft: #5b636e;
  --line: #d9dde3; --panel: #f6f7f9; --good: #14733b; --bad: #b3261e;
  --c0: #0b62c1; --c1: #c04a00; --c2: #11795a; --c3: #8a3ab9; --c4: #8d6b00; --c5: #566170; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --ink: #e7eaee;
  --soft: #a0a8b3; --line: #343a43; --panel: #1c2026; --good: #6fd195; --bad: #ff8f85;
  --c0: #6cb2ff; --c1: #ff9b57; --c2: #4fd0a5; --c3: #cf97f5; --c4: #e0bd4a;
  --c5: #a9b4c2; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-top: .9rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { margin: .4rem 0; max-width: 75ch; }
.soft, figcaption { color: var(--soft); font-size: .875rem; }
code { font: .85em ui-monospace, "DejaVu Sans Mono", monospace; background: var(--panel);
  padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr));
  gap: .75rem; margin: 1rem 0; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px;
  padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.4rem; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .85rem; display: block; line-height: 1.35; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
.data { width: 100%; }
.data th, .data td { padding: .4rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); vertical-align: top; }
.data thead th { color: var(--soft); font-weight: 600; font-size: .82rem;
  vertical-align: bottom; }
.data th[scope=row] { text-align: left; font-weight: 600; }
.data td.word, .data th.word { text-align: left; }
.data small { display: block; color: var(--soft); font-size: .78rem; font-weight: 400; }
.narrow th[scope=row] { white-space: normal; max-width: 19rem; }
.data tr.honest { background: var(--panel); }
.yes { color: var(--good); font-weight: 600; }
.no { color: var(--soft); }
.wrong { color: var(--bad); font-weight: 700; }
.bar { display: inline-block; width: 70px; height: 7px; margin-left: .5rem;
  border: 1px solid var(--soft); border-radius: 2px; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--c0);
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr));
  gap: 1.6rem 2rem; margin-top: 1.6rem; align-items: start; }
figure { margin: 0; break-inside: avoid; min-width: 0; }
figure.full { grid-column: 1 / -1; }
figure h3 { margin: 0 0 .3rem; }
figure > svg { width: 100%; height: auto; display: block; }
svg text { font-family: inherit; fill: var(--ink); }
svg .tick, svg .note { font-size: 12px; fill: var(--soft); }
svg .title { font-size: 12.5px; fill: var(--ink); }
svg .name { font-size: 12.5px; font-weight: 600; }
svg .grid { stroke: var(--line); fill: none; }
svg .axis { stroke: var(--soft); fill: none; }
svg .rule { stroke: var(--ink); stroke-dasharray: 4 3; fill: none; }
svg .line { fill: none; stroke-width: 2; stroke: currentColor; }
svg .mark { fill: currentColor; fill-opacity: .85; stroke: currentColor; stroke-width: 1.6; }
svg .mark.hollow { fill: var(--paper); fill-opacity: .4; }
svg text.s0, svg text.s1, svg text.s2, svg text.s3, svg text.s4, svg text.s5 {
  fill: currentColor; }
.s0 { color: var(--c0); } .s1 { color: var(--c1); } .s2 { color: var(--c2); }
.s3 { color: var(--c3); } .s4 { color: var(--c4); } .s5 { color: var(--c5); }
.legend { display: flex; flex-wrap: wrap; gap: .15rem 1rem; font-size: .85rem; margin: 0; }
.legend svg { width: 16px; height: 16px; vertical-align: -3px; margin-right: .3rem; }
.pictures td { padding: 2px; }
.pictures th { text-align: left; font-weight: 400; color: var(--soft); font-size: .85rem;
  padding-right: .8rem; width: 6.5rem; line-height: 1.3; }
.pictures img { width: 72px; height: auto; display: block; image-rendering: pixelated;
  border: 1px solid var(--line); }
nav { margin: .8rem 0 0; font-size: .9rem; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }
a { color: var(--c0); }
@media (max-width: 640px) { .data th[scope=row] { white-space: normal; position: sticky;
  left: 0; background: var(--paper); min-width: 7.6rem; max-width: 9.5rem;
  overflow-wrap: anywhere; } .data tr.honest th[scope=row] { background: var(--panel); }
  .bar { display: none; } }
@media print { @page { margin: 14mm; } body { font-size: 11pt; } main { padding: 0;
  max-width: none; } nav { display: none; } h2, h3 { break-after: avoid; }
  .narrow td { white-space: normal; } .figures { grid-template-columns: 1fr 1fr; }
  .wide { overflow: visible; } .data { font-size: 8.5pt; } tr { break-inside: avoid; }
  .pictures img { width: 46px; } }
"""
