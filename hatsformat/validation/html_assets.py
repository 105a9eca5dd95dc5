"""The style and script of the HTML report. The content security policy of the page has their hashes."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --paper: #fff; --line: #cfd7df; --soft: #f3f6f9;
  --sound: #8fb8de; --info: #4a7fb5; --warning: #e0a100; --error: #c62828; --good: #2e7d32; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --paper: #14191f; --line: #38424d;
  --soft: #1e252d; --sound: #34597c; --info: #7fb2e5; --warning: #f0b93a;
  --error: #ff6b60; --good: #6fcf76; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; margin-bottom: 0; }
.verdict { font-size: 1.2rem; font-weight: bold; margin: 0; }
.verdict.good { color: var(--good); } .verdict.error { color: var(--error); }
.counts, .legend { display: flex; flex-wrap: wrap; gap: 1.5rem; list-style: none; padding: 0; }
.counts b { font-size: 1.4rem; }
.counts .error b { color: var(--error); } .counts .warning b { color: var(--warning); }
.counts .info b { color: var(--info); }
figure { margin: 0 0 1rem; } figcaption, .legend, footer { font-size: .9rem; }
.sky { width: 100%; height: auto; } .sky .rim { fill: var(--soft); stroke: var(--line); }
.sky path { stroke: var(--paper); stroke-width: .3; }
.sky .grid { fill: none; stroke: var(--ink); stroke-width: .4; opacity: .3; pointer-events: none; }
.sky .sound { fill: var(--sound); } .sky .info { fill: var(--info); }
.sky .warning { fill: var(--warning); } .sky .error { fill: var(--error); }
.sky .warning path, .sky .error path { stroke: var(--ink); stroke-width: 1; }
.legend li::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .4em;
  background: var(--sound); }
.legend .info::before { background: var(--info); } .legend .warning::before { background: var(--warning); }
.legend .error::before { background: var(--error); }
#filter { display: flex; flex-wrap: wrap; gap: 1rem; align-items: center; margin-bottom: 1rem; }
#filter[hidden], [hidden] { display: none; }
#filter input[type=search] { flex: 1; min-width: 12rem; padding: .3rem; font: inherit; }
.finding { border: 1px solid var(--line); border-left: .4rem solid var(--info); margin-bottom: .5rem;
  padding: .4rem .8rem; }
.finding.warning { border-left-color: var(--warning); } .finding.error { border-left-color: var(--error); }
summary { cursor: pointer; overflow-wrap: anywhere; }
.badge { font-size: .8rem; text-transform: uppercase; }
blockquote { margin: 0 0 0 1rem; padding-left: .6rem; border-left: 2px solid var(--line);
  font-style: italic; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem .5rem; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
"""

SCRIPT = """
(function () {
  var form = document.getElementById("filter");
  if (!form) { return; }
  var findings = Array.prototype.slice.call(document.querySelectorAll(".finding"));
  var texts = findings.map(function (item) { return item.textContent.toLowerCase(); });
  function apply() {
    var words = form.elements.words.value.toLowerCase().split(/\\s+/).filter(Boolean);
    var kinds = {};
    form.querySelectorAll("input[type=checkbox]").forEach(function (box) { kinds[box.value] = box.checked; });
    var shown = 0;
    findings.forEach(function (item, number) {
      var fits = kinds[item.dataset.severity] && words.every(function (word) {
        return texts[number].indexOf(word) >= 0;
      });
      item.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    form.querySelector("output").textContent = shown + " of " + findings.length;
  }
  form.addEventListener("input", apply);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.hidden = false;
  apply();
})();
"""
