import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface SourceFile {
  /** Relative to the root, with `/`. */
  path: string
  code: string
  tokens: Token[]
  imports: Import[]
}

export interface Token {
  kind: 'word' | 'string' | 'template' | 'regex' | 'comment' | 'punctuator'
  text: string
  index: number
}

/** `import`, `export … from` or `import()` of a literal specifier. */
export interface Import {
  specifier: string
  /** `import type` and `export type`. `import { type A }` is not: it still loads the module. */
  typeOnly: boolean
  line: number
}

const lexeme = /\s+|\/\/[^\n]*|\/\*.*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|[\w$]+|=>|./sy
const templatePart = /(?:\\.|\$(?!\{)|[^\\`$])*(`|\$\{)/sy
const regexLiteral = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/\w*/y
/** After these a slash begins a regular expression; after anything else it divides. */
const beforeRegex = /^(?:[(,=:[!&|?{};+\-*%~^<>]|=>|return|typeof|case|in|of|await|yield|void|delete|throw|new)$/

export function readSource(root: string, path: string): SourceFile {
  const code = readFileSync(join(root, path), 'utf8')
  const tokens = tokenize(code)
  return { path, code, tokens, imports: readImports(code, tokens) }
}

/** The tokens of a TypeScript file, without white space: as much of the grammar as finding words and imports takes. */
function tokenize(code: string): Token[] {
  const tokens: Token[] = []
  /** One count of open braces for each `${` that is not closed yet. */
  const braces: number[] = []
  let previous = ''
  let index = 0

  const take = (pattern: RegExp): string => {
    pattern.lastIndex = index
    return pattern.exec(code)?.[0] ?? ''
  }
  const add = (kind: Token['kind'], text: string) => {
    tokens.push({ kind, text, index })
    index += text.length
    if (kind !== 'comment') previous = text.endsWith('${') ? '{' : text
  }
  /** From a backtick or the brace that ends `${…}` to the next `${` or the closing backtick. */
  const addTemplate = () => {
    const opener = code.charAt(index)
    index += 1
    const rest = take(templatePart)
    index -= 1
    if (rest.endsWith('${')) braces.push(0)
    add('template', opener + rest)
  }

  while (index < code.length) {
    const text = take(lexeme)
    const depth = braces.at(-1)
    if (/^\s/.test(text)) index += text.length
    else if (text.startsWith('//') || text.startsWith('/*')) add('comment', text)
    else if (text === '`') addTemplate()
    else if (text === '}' && depth === 0) {
      braces.pop()
      addTemplate()
    } else if (text === '/' && (previous === '' || beforeRegex.test(previous))) add('regex', take(regexLiteral) || text)
    else {
      if (depth !== undefined && text === '{') braces[braces.length - 1] = depth + 1
      if (depth !== undefined && text === '}') braces[braces.length - 1] = depth - 1
      add(/^['"]/.test(text) ? 'string' : /^[\w$]/.test(text) ? 'word' : 'punctuator', text)
    }
  }
  return tokens
}

function readImports(code: string, tokens: Token[]): Import[] {
  const significant = tokens.filter(({ kind }) => kind !== 'comment')
  const imports: Import[] = []
  for (const [at, { kind, text, index }] of significant.entries()) {
    if (kind !== 'word' || (text !== 'import' && text !== 'export') || significant[at - 1]?.text === '.') continue
    const after = significant.slice(at + 1, at + 3).map((token) => token.text)
    const typeOnly = after[0] === 'type' && after[1] !== 'from' && after[1] !== ','
    const specifier = specifierAfter(significant, typeOnly ? at + 2 : at + 1, text)
    if (specifier?.kind !== 'string') continue
    imports.push({ specifier: specifier.text.slice(1, -1), typeOnly, line: code.slice(0, index).split('\n').length })
  }
  return imports
}

/** The token where the specifier of a statement must stand; `at` is the token behind `import`, `export` or `type`. */
function specifierAfter(tokens: Token[], at: number, statement: string): Token | undefined {
  const first = tokens[at]
  if (statement === 'import' && first?.kind === 'string') return first
  if (statement === 'import' && first?.text === '(') return tokens[at + 1]
  const isList = first?.text === '{' || first?.text === '*'
  if (!isList && (statement === 'export' || first?.kind !== 'word')) return
  // A clause is names, commas, braces and `*`; `export { a }` ends without `from`.
  for (let i = at; /^[\w$,{}*]+$/.test(tokens[i]?.text ?? ''); i += 1) {
    const next = tokens[i + 1]
    if (tokens[i]?.text === 'from' && next?.kind === 'string') return next
    if (tokens[i]?.text === '}' && next?.text !== 'from') return
  }
  return
}
