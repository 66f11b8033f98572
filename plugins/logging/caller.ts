import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getCallSites } from 'node:util'

const MAX_FRAMES = 40

/** `{ caller: 'src/app.ts:42' }`: the nearest frame outside Node, dependencies and this folder; `{}` if there is none. */
export function callerField(): { caller?: string } {
  for (const { scriptName, lineNumber } of getCallSites(MAX_FRAMES)) {
    const path = scriptName.startsWith('file:') ? fileURLToPath(scriptName) : scriptName
    if (path === '' || path.startsWith('node:') || /[\\/]node_modules[\\/]/.test(path)) continue
    if (path.startsWith(import.meta.dirname)) continue
    return { caller: `${relative(process.cwd(), path)}:${lineNumber}` }
  }
  return {}
}
