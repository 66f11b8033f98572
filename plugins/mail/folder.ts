import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import type { Transport } from './transport.ts'

export interface FolderOptions {
  folder: string
  /** So many of the newest mails are kept. Default 200. */
  maxFiles?: number
}

/** For development: each mail is a file that mail programs open. */
export function folderTransport({ folder, maxFiles = 200 }: FolderOptions): Transport {
  if (!Number.isSafeInteger(maxFiles) || maxFiles < 1) throw new Error('mail: maxFiles must be an integer ≥ 1')
  const composer = createTransport({
    streamTransport: true,
    buffer: true,
    newline: 'windows',
    disableFileAccess: true,
    disableUrlAccess: true
  })

  return {
    async send(letter) {
      const { message } = await composer.sendMail({ ...letter })
      if (!Buffer.isBuffer(message)) throw new Error('mail: with `buffer` the mail is composed as a buffer')
      const name = `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${letter.messageId.slice(1, -1).split('@')[0]}`
      const file = join(folder, `${name}.eml`)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      // Under another name until it is whole.
      await writeFile(`${file}.part`, message, { mode: 0o600 })
      await rename(`${file}.part`, file)
      await removeOldest(folder, maxFiles)
      return { file }
    },
    close: () => composer.close()
  }
}

/** Their names begin with their time. */
async function removeOldest(folder: string, maxFiles: number): Promise<void> {
  const mails = (await readdir(folder)).filter((name) => name.endsWith('.eml')).sort()
  for (const name of mails.slice(0, -maxFiles)) await rm(join(folder, name), { force: true })
}
