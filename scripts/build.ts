import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { main } from './main.ts'
import { root, runTool } from './run.ts'

const dist = join(root, 'dist')

await main('Usage: npm run build', async () => {
  rmSync(dist, { recursive: true, force: true })
  const { code } = await runTool('typescript', ['-p', 'tsconfig.build.json'])
  if (code !== 0) return code
  copyPluginAssets()
  copyRedoc()
  writePackage()
  return 0
})

/** Files that plugins read at run time and the compiler does not write. */
function copyPluginAssets() {
  for (const file of globSync('plugins/*/**/*.*', { cwd: root, exclude: ['**/*.ts', '**/README.md'] })) {
    cpSync(join(root, file), join(dist, file), { recursive: true })
  }
}

/** ReDoc's one file with its licences, so that the product does without the package and its many dependencies. */
function copyRedoc() {
  const redoc = join(root, 'node_modules/redoc')
  const assets = join(dist, 'plugins/docs/assets')
  cpSync(join(redoc, 'bundles/redoc.standalone.js'), join(assets, 'redoc.standalone.js'))
  cpSync(join(redoc, 'bundles/redoc.standalone.js.LICENSE.txt'), join(assets, 'redoc.standalone.js.LICENSE.txt'))
  cpSync(join(redoc, 'LICENSE'), join(assets, 'redoc.LICENSE.txt'))
}

/** What others install: the plugins, without the Node.js and the tools that the repository brings for itself. */
function writePackage() {
  for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', ...globSync('plugins/*/README.md', { cwd: root })]) {
    cpSync(join(root, file), join(dist, file))
  }
  const { name, version, description, license, type, engines, dependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8')
  )
  const { fastify: _, ...others } = dependencies
  const manifest = {
    ...{ name, version, description, license, type, engines },
    exports: { './plugins/*': './plugins/*/index.js' },
    dependencies: others,
    // The consumer's own: with two copies the types would augment the wrong one.
    peerDependencies: { fastify: '5.x' }
  }
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}
