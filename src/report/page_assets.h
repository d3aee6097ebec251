// The page's style sheet and its one script, embedded so that a report is a single file. Private to report.
#pragma once

#include <string_view>

namespace assay {

inline constexpr std::string_view kPageStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1b1f26; --soft: #5b6472; --line: #d9dde4; --accent: #1f6feb;
  --critical: #b3261e; --high: #c2570c; --moderate: #8a6d00; --low: #37703f; --none: #6b7280; --warn: #fff1ef;
  --s0: #1f6feb; --s1: #c2570c; --s2: #14806a; --s3: #a13d8f; --s4: #6b7280;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --panel: #1c2027; --ink: #e6e9ee; --soft: #9aa4b2; --line: #343b46; --accent: #6ea8fe;
    --critical: #ff8a80; --high: #ffab66; --moderate: #e3c54e; --low: #7fcf8d; --none: #9aa4b2; --warn: #3a1f1d;
    --s0: #6ea8fe; --s1: #ffab66; --s2: #4fd1b3; --s3: #e58bd6; --s4: #9aa4b2;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1260px; margin: 0 auto; padding: 36px 28px 64px; }
header { border-bottom: 1px solid var(--line); padding-bottom: 18px; }
.mark { color: var(--soft); font-size: 13px; letter-spacing: .08em; text-transform: uppercase; }
h1 { font-size: 28px; line-height: 1.25; margin: 4px 0 6px; font-weight: 650; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 44px 0 6px; font-weight: 650; }
h3 { font-size: 15px; margin: 0 0 6px; font-weight: 650; }
p { margin: 6px 0 12px; max-width: 78ch; }
code, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .9em; }
.sub, .note { color: var(--soft); }
.note { font-size: 13.5px; }
.warning { background: var(--warn); border-left: 4px solid var(--critical); padding: 10px 14px; max-width: none; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; margin: 22px 0 20px; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 13px 16px; }
.tile .name { color: var(--soft); font-size: 13px; }
.tile .value { font-size: 27px; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile .more { color: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums; }
.pictures { grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 22px; }
.pictures h3 { font-size: 13px; overflow-wrap: anywhere; }
.conclusions { padding-left: 20px; margin: 0; }
.conclusions li { margin: 5px 0; max-width: 90ch; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 32px; margin-top: 40px; }
.pair h2 { margin-top: 0; }
.tables { align-items: start; margin-top: 8px; }
svg { display: block; width: 100%; height: auto; }
svg.heatmap { min-width: 760px; }
svg text { fill: var(--soft); font-size: 12px; font-family: inherit; font-variant-numeric: tabular-nums; }
svg rect[rx]:hover { stroke: var(--ink); stroke-width: 1.6; }
svg rect[rx] { stroke: var(--line); stroke-width: .6; }
svg rect.none { fill: var(--panel); }
svg .grid { stroke: var(--line); stroke-width: .7; }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg path, svg line[class^=line] { fill: none; stroke-width: 2; }
.line0 { stroke: var(--s0); } .line1 { stroke: var(--s1); } .line2 { stroke: var(--s2); }
.line3 { stroke: var(--s3); } .line4 { stroke: var(--s4); }
.fill0 { fill: var(--s0); } .fill1 { fill: var(--s1); } .fill2 { fill: var(--s2); }
.fill3 { fill: var(--s3); } .fill4 { fill: var(--s4); }
.dot { fill: var(--s0); fill-opacity: .45; } .dot.worst { fill: var(--critical); fill-opacity: .95; }
.dot:hover { stroke: var(--ink); }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); vertical-align: bottom; }
th, td { padding: 5px 9px; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th:first-child, td:first-child { padding-left: 0; }
.n { text-align: right; }
td.n { white-space: nowrap; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " \2191"; }
th[aria-sort=descending] button::after { content: " \2193"; }
tbody tr:hover { background: var(--panel); }
td .ci { color: var(--soft); font-size: 12px; display: block; line-height: 1.2; }
td .bar { display: block; height: 3px; border-radius: 2px; background: var(--accent); margin-left: auto; }
td.mono { font-size: 12.5px; }
.try { min-width: 8em; }
.category { font-weight: 600; white-space: nowrap; }
.critical { color: var(--critical); } .high { color: var(--high); } .moderate { color: var(--moderate); }
.low { color: var(--low); } .quiet { color: var(--none); }
.facts th { width: 1%; white-space: nowrap; padding-right: 24px; vertical-align: top; }
.facts td { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 22px; font-size: 14px; }
dt { font-weight: 600; } dd { margin: 0; color: var(--soft); max-width: 85ch; }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }
@media (max-width: 700px) { main { padding: 20px 14px; } dl { grid-template-columns: 1fr; gap: 2px; } dd { margin-bottom: 8px; } }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #ccc; }
  main { max-width: none; padding: 0; }
  body { font-size: 11px; } table { font-size: 9.5px; } th, td { padding: 2px 6px; }
  .tiles { grid-template-columns: repeat(5, 1fr); gap: 6px; } .tile { padding: 6px 9px; } .tile .value { font-size: 18px; }
  .tile .name, .tile .more, .note { font-size: 10px; } .pair { grid-template-columns: 1fr 1fr; gap: 14px; margin-top: 20px; }
  .scroll { overflow: visible; } svg.heatmap { min-width: 0; }
  svg, .tile, tr, dl { break-inside: avoid; } h2 { break-after: avoid; } thead { display: table-header-group; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
)css";

// Sorts a table by a column whose header is pressed: by the cells' data-v, as numbers where the header is one
// of numbers; missing values last.
inline constexpr std::string_view kPageScript = R"js(
document.querySelectorAll("table.sortable").forEach(table => {
  const body = table.tBodies[0];
  const key = (row, column, numeric) => {
    const value = row.cells[column].dataset.v ?? row.cells[column].textContent;
    return numeric ? (value === "" ? -Infinity : Number(value)) : value;
  };
  table.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => {
    const head = button.parentElement, column = head.cellIndex, numeric = head.classList.contains("n");
    const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : numeric && column > 0;
    table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map(row => [key(row, column, numeric), row]);
    rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
    body.append(...rows.map(([, row]) => row));
  }));
});
)js";

}  // namespace assay
