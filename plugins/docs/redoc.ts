import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const BUILT = new URL('./assets/redoc.standalone.js', import.meta.url)
const NO_IMAGE = 'data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=='
const FONT = 'system-ui, sans-serif'
const THEME = {
  typography: {
    fontFamily: FONT,
    headings: { fontFamily: FONT },
    code: { fontFamily: 'ui-monospace, monospace' }
  }
}

/**
 * ReDoc's one file: the copy the build puts beside this plugin, else the installed package `redoc`, else nothing.
 * Its only remote image, the maker's logo, is taken out: the page is whole offline and under its own policy.
 */
export async function redocBundle(): Promise<string | undefined> {
  const file = existsSync(BUILT) ? BUILT : installed()
  if (file === undefined) return
  const source = await readFile(file, 'utf8')
  return source
    .replaceAll('https://cdn.redoc.ly/redoc/logo-mini.svg', NO_IMAGE)
    .replace(/\/\/# sourceMappingURL=.*\s*$/, '')
}

/** The page at `/redoc`. Its addresses are relative, so that it also works under a path of a reverse proxy. */
export function redocPage(title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" type="image/png" href="docs/static/favicon-32x32.png">
<style>body { margin: 0 }</style>
</head>
<body>
<redoc spec-url="openapi.json" theme="${escapeHtml(JSON.stringify(THEME))}"></redoc>
<script src="redoc/redoc.standalone.js"></script>
</body>
</html>
`
}

/** Text made safe for HTML content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function installed(): string | undefined {
  try {
    return fileURLToPath(import.meta.resolve('redoc/bundles/redoc.standalone.js'))
  } catch {
    return
  }
}
