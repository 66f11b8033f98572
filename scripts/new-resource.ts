import { parseArgs } from 'node:util'
import { main, UsageError } from './main.ts'
import { addResource, removeResource } from './new-resource/command.ts'
import { readFields } from './new-resource/fields.ts'
import { readNames } from './new-resource/names.ts'
import { root, runNode, runTool } from './run.ts'

const usage = `Usage: npm run new:resource -- <name> <field:type> … [--public]
       npm run new:resource -- <name> --remove
Writes migration, types, schema, queries, routes and tests of a resource that belongs to users. Overwrites nothing.

  <name>      singular, in snake_case, without digits, at most 40 characters: blog_post
  types       string, text, integer, number, boolean, datetime, uuid, 'enum(a,b)'; a ? at the end admits null
  --public    anybody may read it; only owners write
  --remove    takes it out again
  --help      shows this

Example: npm run new:resource -- note title:string done:boolean 'due_at:datetime?'`

const afterRemoving = `
Where its migration was applied, \`npm run migrate -- down\` had to come first; otherwise drop its table and its permissions by hand.`

const next = (path: string) => `
Next:
  read routes/api/v1/${path}, it is yours from here
  npm test -- test/routes/${path} test/src/routes
  npm run migrate -- up (embedded migrates when it starts), npm run check, a line in CHANGELOG.md`

await main(usage, async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', default: false },
      public: { type: 'boolean', default: false },
      remove: { type: 'boolean', default: false }
    }
  })
  if (values.help) {
    console.log(usage)
    return 0
  }
  const [name, ...fields] = positionals
  if (name === undefined) throw new UsageError('The name of the resource is missing')
  const names = readNames(name)
  if (values.remove && fields.length > 0) throw new UsageError('--remove takes the name alone')
  const files = values.remove
    ? removeResource(root, names)
    : await addResource(root, { names, fields: readFields(fields), isPublic: values.public })
  if (!values.remove) await runTool('@biomejs/biome', ['check', '--write', '--log-level=error', ...files])
  for (const script of ['scripts/openapi.ts', 'scripts/schema-docs.ts']) {
    const { code } = await runNode([script])
    if (code !== 0) return code
  }

  console.log(`${values.remove ? 'Removed from' : 'Wrote'}:\n${files.map((file) => `  ${file}`).join('\n')}`)
  console.log(
    `and brought openapi.json and docs/schema.md up to date.${values.remove ? afterRemoving : next(names.path)}`
  )
  return 0
})
