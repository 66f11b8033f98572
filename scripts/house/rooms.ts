/** An import inside the project; paths are relative to its root, with `/`. */
export interface Edge {
  from: string
  to: string
  typeOnly: boolean
}

interface Room {
  /** What a reader is told when an import breaks the rule. */
  rule: string
  mayImport(edge: Edge): boolean
  /** Whether its modules may use development dependencies. */
  development?: boolean
}

const toPlugin = /^plugins\/[^/]+\//

/** Who may import whom, by top-level folder: `scripts, test → src → routes → db → plugins`. */
export const rooms: Record<string, Room> = {
  plugins: {
    rule: 'a plugin imports its own folder, and types of other plugins',
    mayImport: ({ from, to, typeOnly }) => folder(from, 2) === folder(to, 2) || (typeOnly && toPlugin.test(to))
  },
  routes: {
    rule: 'a route imports its own resource, schema.ts of others, db/, schema.ts and errors.ts of plugins, and their types',
    mayImport: ({ from, to, typeOnly }) =>
      resource(from) === resource(to) ||
      room(to) === 'db' ||
      /^routes\/.*\/schema\.ts$/.test(to) ||
      /^plugins\/[^/]+\/(schema|errors)\.ts$/.test(to) ||
      (typeOnly && /^plugins\/[^/]+\/index\.ts$/.test(to))
  },
  db: {
    rule: 'db/ imports its own files, and migrations and types of plugins',
    mayImport: ({ to, typeOnly }) =>
      room(to) === 'db' || (toPlugin.test(to) && (typeOnly || to.endsWith('/migration.ts')))
  },
  src: {
    rule: 'src/ imports everything but test/, scripts/ and bench/',
    mayImport: ({ to }) => !['test', 'scripts', 'bench'].includes(room(to))
  },
  scripts: {
    rule: 'scripts/ imports src/ and db/',
    mayImport: ({ to }) => ['scripts', 'src', 'db', 'package.json'].includes(room(to)),
    development: true
  },
  bench: {
    rule: 'bench/ imports everything but test/',
    mayImport: ({ to }) => room(to) !== 'test',
    development: true
  },
  test: { rule: 'test/ imports anything', mayImport: () => true, development: true }
}

/** The top-level folder of a path. */
export function room(path: string): string {
  return folder(path, 1)
}

function folder(path: string, depth: number): string {
  return path.split('/').slice(0, depth).join('/')
}

/** The folder directly below `routes/` or below a version of the API, such as `routes/api/v1/todos`. */
function resource(path: string): string | undefined {
  return /^routes\/(?:api\/)?(?:v\d+\/)?(?:[^/]+(?=\/))?/.exec(path)?.[0]
}
