import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder of package.json; every script works from here, wherever it was called. */
export const root = join(import.meta.dirname, '..')

export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Keeps standard output for the caller instead of showing it. */
  capture?: boolean
  /** Ends the program after this time; none by default. */
  timeoutMs?: number
}

export interface Outcome {
  code: number
  stdout: string
}

/** Runs a program without a shell; resolves with its exit code (128 when a signal ended it). */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<Outcome> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    stdio: ['inherit', options.capture ? 'pipe' : 'inherit', 'inherit'],
    timeout: options.timeoutMs
  })
  let stdout = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
  })
  child.on('error', reject)
  child.on('close', (code) => resolve({ code: code ?? 128, stdout }))
  return promise
}

/** Runs a script with this Node. */
export function runNode(args: string[], options?: RunOptions) {
  return run(process.execPath, args, options)
}

/** Runs the command of an installed package through this Node, which is the same on every platform. */
export function runTool(packageName: string, args: string[], options?: RunOptions) {
  return runNode([commandOf(packageName), ...args], options)
}

/** Runs npm: the one that started us, else the one on the path. */
export function runNpm(args: string[], options?: RunOptions) {
  const cli = process.env.npm_execpath
  return cli ? runNode([cli, ...args], options) : run('npm', args, options)
}

/** Path of the script behind a package's (first) command. */
function commandOf(packageName: string): string {
  const manifest = join(root, 'node_modules', packageName, 'package.json')
  const bin: unknown = JSON.parse(readFileSync(manifest, 'utf8')).bin
  const path = typeof bin === 'string' ? bin : Object.values(bin ?? {})[0]
  if (typeof path !== 'string') throw new Error(`${packageName} has no command`)
  return join(dirname(manifest), path)
}
