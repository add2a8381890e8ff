/** The one style sheet. Colours meet WCAG AA in both schemes. */
export const styleSheet = `
:root {
  color-scheme: light dark;
  --bg: light-dark(#f5f4f1, #14161a); --panel: light-dark(#fff, #1d2026); --line: light-dark(#dcd9d2, #363b45);
  --text: light-dark(#1c1e21, #eceef1); --muted: light-dark(#5c6068, #a7aebb);
  --accent: light-dark(#1f5f4a, #7fd6b5); --on-accent: light-dark(#fff, #0c2019);
  --danger: light-dark(#a3261b, #ff9d92); --danger-bg: light-dark(#fdecea, #3a1c19); --soft: light-dark(#eaf3ef, #1c322b);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 16px/1.5 system-ui, 'Segoe UI', sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; text-wrap: balance; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0 0 .5rem; }
input { accent-color: var(--accent); }
p { margin: 0 0 1rem; }
a { color: var(--accent); }
small, .muted { color: var(--muted); font-size: .875rem; }
code { font: .875rem/1.4 ui-monospace, 'SF Mono', Menlo, monospace; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.logo { width: 1.75rem; height: 1.75rem; flex: none; }
.logo-tile { fill: var(--accent); } .logo-mark { fill: var(--on-accent); }
.brand { display: inline-flex; gap: .6rem; align-items: center; font-weight: 650; color: inherit; text-decoration: none; }
.card-page { max-width: 27rem; margin: 0 auto; padding: clamp(1.25rem, 8vh, 5rem) 1rem 2rem; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 14px; padding: 1.5rem; margin-top: 1rem; }
.card > :last-child, .panel > :last-child { margin-bottom: 0; }
label { display: block; font-weight: 550; margin-bottom: .25rem; }
.field { margin-bottom: 1rem; }
.field small { display: block; margin-top: .25rem; }
input[type=text], input[type=email], input[type=password], input[type=url] {
  width: 100%; min-height: 44px; padding: .5rem .75rem; font: inherit; color: inherit; background: var(--bg);
  border: 1px solid light-dark(#8b8f96, #6f7683); border-radius: 8px;
}
fieldset { border: 1px solid var(--line); border-radius: 8px; padding: .5rem 1rem .75rem; margin: 0 0 1rem; }
legend { font-weight: 550; padding: 0 .35rem; }
.check { display: flex; gap: .6rem; align-items: baseline; font-weight: 400; margin: .35rem 0; }
.check code { color: var(--muted); }
button, .button {
  display: inline-flex; align-items: center; justify-content: center; min-height: 44px; padding: .5rem 1.1rem;
  font: inherit; font-weight: 600; border-radius: 8px; border: 1px solid transparent; cursor: pointer;
  color: var(--on-accent); background: var(--accent); text-decoration: none;
}
button:hover, .button:hover { filter: brightness(1.08); }
button.quiet { color: inherit; background: transparent; border-color: var(--line); }
button.danger { color: var(--danger); background: transparent; border-color: currentColor; }
button.link { min-height: 0; padding: 0; border: 0; color: var(--accent); background: none; font-weight: 400; text-decoration: underline; }
button.wide { width: 100%; }
.actions { display: flex; gap: .75rem; margin-top: 1.25rem; }
.actions > * { flex: 1; }
.problem { color: var(--danger); background: var(--danger-bg); border-radius: 8px; padding: .6rem .8rem; }
.hint { background: var(--soft); border-radius: 8px; padding: .6rem .8rem; margin-top: 1.25rem; font-size: .875rem; }
.scopes { list-style: none; margin: 0 0 1rem; padding: 0; border-block: 1px solid var(--line); }
.scopes li { padding: .55rem 0 .55rem 1.75rem; position: relative; }
.scopes li + li { border-top: 1px solid var(--line); }
.scopes li::before { content: '✓'; position: absolute; left: .25rem; color: var(--accent); font-weight: 700; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1rem; margin: 0 0 1rem; }
.facts dt { color: var(--muted); } .facts dd { margin: 0; overflow-wrap: anywhere; }
.skip { position: absolute; left: -999px; } .skip:focus { left: 1rem; top: 1rem; background: var(--panel); padding: .5rem; z-index: 1; }
.top { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; padding: .6rem clamp(1rem, 3vw, 2rem); background: var(--panel); border-bottom: 1px solid var(--line); }
.top nav { display: flex; flex-wrap: wrap; gap: .25rem; flex: 1; }
.top nav a { padding: .5rem .75rem; border-radius: 8px; color: inherit; text-decoration: none; }
.top nav a:hover { background: var(--bg); }
.top nav a[aria-current] { background: var(--soft); font-weight: 600; }
.who { display: flex; gap: .75rem; align-items: center; }
.who span { display: flex; flex-direction: column; line-height: 1.2; font-size: .875rem; }
.content { max-width: 64rem; margin: 0 auto; padding: 1.75rem clamp(1rem, 3vw, 2rem) 3rem; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; padding: 1.25rem; margin-bottom: 1rem; }
.scroll { overflow-x: auto; padding: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .65rem 1rem; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th { font-size: .8125rem; color: var(--muted); font-weight: 600; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tag { display: inline-block; padding: .05rem .55rem; border-radius: 99px; background: var(--soft); font-size: .8125rem; }
.row { display: flex; flex-wrap: wrap; gap: .75rem; justify-content: space-between; align-items: start; }
.row > form { margin: 0; }
@media (max-width: 40rem) {
  .top { flex-direction: column; align-items: stretch; }
  .top nav { margin-inline: -.75rem; }
  .who { justify-content: space-between; }
  .facts { grid-template-columns: 1fr; } .facts dd { margin-bottom: .5rem; }
}
`;

export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1f5f4a"/><path d="M8 24 16 7l8 17h-4.2l-1.5-3.6h-4.6L12.2 24zm7-7h2l-1-2.6z" fill="#fff"/></svg>`;
