import Fastify from 'fastify'
import type { Test } from 'tap'
import { type PasswordHasher, type PasswordsOptions, passwordsPlugin } from '../../../plugins/passwords/index.ts'

/** Cheap enough for tests; all else is as in production. */
export const cheap = { memoryKiB: 1024, timeCost: 2 }

export async function start(t: Test, options: PasswordsOptions = cheap) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(passwordsPlugin, options)
  return app.passwords
}

/** A hasher that records its calls and finishes each only when told to. */
export function heldHasher() {
  const started: string[] = []
  const finish: Array<(error?: Error) => void> = []
  const hold = (plain: string) => {
    started.push(plain)
    return new Promise<string>((resolve, reject) => {
      finish.push((error) => (error ? reject(error) : resolve(`hash of ${plain}`)))
    })
  }
  let isStarting = true
  const hasher: PasswordHasher = {
    hash: async (plain) => (isStarting ? 'dummy' : hold(plain)),
    verify: async (hash, plain) => hash === (await hold(plain)),
    needsRehash: () => false
  }
  return {
    hasher,
    started,
    finish,
    ready: () => {
      isStarting = false
    }
  }
}
