import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { root } from '../../scripts/run.ts'
import { freePort, temporaryFolder } from '../support/server.ts'

const shipped = (file: string) => readFileSync(join(root, 'deploy/nginx', file), 'utf8')

/** A real nginx with the shipped files, of which only ports and the addresses of the processes are changed. */
export async function startNginx(t: Test, processes: string[]): Promise<{ url: string; port: number }> {
  const folder = temporaryFolder(t)
  const port = await freePort()
  const names = [...shipped('upstream-many.conf').matchAll(/server (api-\d:3000)/g)].map(([, name = '']) => name)
  if (names.length !== processes.length) throw new Error(`The shipped file names ${names.length} processes`)
  const upstream = names.reduce(
    (text, name, index) => text.replace(name, processes[index] ?? ''),
    shipped('upstream-many.conf')
  )
  const server = shipped('plinth.conf').replace('listen 80;', `listen 127.0.0.1:${port};`)
  mkdirSync(join(folder, 'tmp'))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path tmp/${name};`)
  const main = `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log warn;
events { worker_connections 256; }
http { access_log off; ${temporary.join(' ')} ${upstream} ${server} }`
  writeFileSync(join(folder, 'nginx.conf'), main)

  const nginx: ChildProcess = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'inherit' })
  t.teardown(async () => {
    if (nginx.exitCode !== null) return
    nginx.kill('SIGTERM')
    await once(nginx, 'exit')
  })
  await Promise.race([
    answering(`http://127.0.0.1:${port}/`),
    once(nginx, 'exit').then(() => Promise.reject(new Error('nginx ended: is it installed (nginx-light)?'))),
    once(nginx, 'error').then(([error]) => Promise.reject(error))
  ])
  return { url: `http://127.0.0.1:${port}`, port }
}

async function answering(url: string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (
    !(await fetch(url).then(
      (answer) => answer.ok,
      () => false
    ))
  ) {
    if (Date.now() > deadline) throw new Error('nginx does not answer')
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
