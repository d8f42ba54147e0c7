import { readableOn, textOn } from './colors.ts'

const light = {
  page: '#f3f4f6',
  card: '#ffffff',
  text: '#1b1d21',
  muted: '#565c66',
  line: '#7b828d',
  error: '#a8201a',
  'error-back': '#fdeeed',
}

const dark: typeof light = {
  page: '#131519',
  card: '#1e2126',
  text: '#e9ebee',
  muted: '#a9b0ba',
  line: '#7f8792',
  error: '#ff9a92',
  'error-back': '#3a1f1e',
}

/**
 * The stylesheet of all pages: light and dark, from 320 pixels up (WCAG 1.4.10), controls of at least
 * 44 pixels (2.5.5), a visible focus (2.4.7). It loads nothing.
 *
 * @param accent `#rrggbb`; a variant that is readable on the background is derived for links, and in
 *   the dark for buttons
 */
export function createStyle(accent: string): string {
  const darkAccent = readableOn(dark.card, accent)
  const link = readableOn(light.card, accent)
  return `
:root { color-scheme: light dark; ${variables({ ...light, accent, 'on-accent': textOn(accent), link })} }
@media (prefers-color-scheme: dark) {
  :root { ${variables({ ...dark, accent: darkAccent, 'on-accent': textOn(darkAccent), link: darkAccent })} }
}
${rules}`
}

const variables = (colors: Readonly<Record<string, string>>) =>
  Object.entries(colors)
    .map(([name, color]) => `--${name}: ${color};`)
    .join(' ')

const rules = `
*, ::before, ::after { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; padding: 32px 16px;
  display: flex; flex-direction: column; align-items: center;
  background: var(--page); color: var(--text); overflow-wrap: anywhere;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
header { display: flex; align-items: center; gap: 12px; margin: 4vh 0 24px; font-size: 18px; font-weight: 600; }
header img { max-width: 160px; height: 40px; }
header .mark {
  flex: none; width: 40px; height: 40px; border-radius: 10px; font-size: 20px; line-height: 40px;
  text-align: center; background: var(--accent); color: var(--on-accent);
}
main {
  width: 100%; max-width: 420px; padding: 32px; background: var(--card); border-radius: 16px;
  box-shadow: 0 0 0 1px rgb(0 0 0 / 6%), 0 12px 32px rgb(0 0 0 / 8%);
}
main.wide { max-width: 680px; }
h1 { margin: 0 0 8px; font-size: 24px; line-height: 1.25; letter-spacing: -0.01em; }
h2 { margin: 32px 0 8px; font-size: 18px; line-height: 1.3; }
p { margin: 0 0 16px; }
p:last-child { margin-bottom: 0; }
form { display: grid; gap: 20px; margin: 24px 0 0; }
form + p { margin-top: 20px; }
label { display: block; margin-bottom: 6px; font-weight: 600; }
input {
  width: 100%; min-height: 48px; padding: 10px 14px; border: 1px solid var(--line); border-radius: 10px;
  background: var(--card); color: inherit; font: inherit;
}
input.code { font: 600 22px/1.2 ui-monospace, Menlo, Consolas, monospace; letter-spacing: 3px; }
input[aria-invalid="true"] { border: 2px solid var(--error); padding: 9px 13px; }
button, a.button {
  display: block; width: 100%; min-height: 48px; padding: 12px 20px; border: 1px solid transparent;
  border-radius: 10px; background: var(--accent); color: var(--on-accent); font: inherit;
  font-weight: 600; line-height: 22px; text-align: center; text-decoration: none; cursor: pointer;
}
button:hover, a.button:hover { box-shadow: inset 0 0 0 2px var(--on-accent); }
button.quiet {
  width: auto; min-height: 44px; padding: 10px 16px; border-color: var(--line);
  background: transparent; color: inherit;
}
button.quiet:hover { box-shadow: inset 0 0 0 1px var(--text); }
a { color: var(--link); text-underline-offset: 3px; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.error {
  margin: 16px 0 0; padding: 12px 16px; border-left: 4px solid var(--error); border-radius: 8px;
  background: var(--error-back); color: var(--error); font-weight: 600;
}
.hint, .small, .links { color: var(--muted); }
.hint { margin: 6px 0 0; font-size: 14px; }
.small { margin-top: 24px; font-size: 13px; }
.links { margin: 20px 0 0; display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 24px; }
.links a { display: inline-block; min-height: 44px; padding: 10px 0; }
dl { margin: 16px 0 0; }
dt { color: var(--muted); font-size: 14px; }
dd { margin: 0 0 12px; }
.list, .list ul { margin: 0; padding: 0; list-style: none; }
.list > li { padding: 12px 0; border-top: 1px solid var(--line); }
.list ul { padding-left: 20px; }
.list ul > li { margin-top: 12px; }
.list .hint { margin: 0; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 16px; }
.row > div { flex: 1 1 140px; }
.row form { margin: 0; }
.badge {
  display: inline-block; padding: 2px 8px; border: 1px solid; border-radius: 8px;
  color: var(--link); font-size: 13px; font-weight: 600; line-height: 1.4;
}
@media (max-width: 480px) {
  body { padding: 16px 12px; }
  header { margin: 8px 0 16px; }
  main { padding: 24px 20px; }
}
@media (prefers-reduced-motion: no-preference) { button, a.button { transition: box-shadow 120ms; } }
`
