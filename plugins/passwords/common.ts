import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

/** Digits and signs that people put behind a word when a form asks for them: a year, "123!". */
const SUFFIX = /[^\p{L}]{1,6}$/u
const LOOK_ALIKES: Record<string, string> = {
  '@': 'a',
  4: 'a',
  3: 'e',
  1: 'i',
  '!': 'i',
  0: 'o',
  $: 's',
  5: 's',
  7: 't'
}

/**
 * Reads the shipped list and returns a judge of passwords: whether one is on it, in whatever case, with look-alikes for
 * letters ("P4ssw0rd"), with up to six digits or signs behind it ("Summer2024!"), or consists of one or two characters.
 */
export function commonPasswords(): (plain: string) => boolean {
  const list = new Set(readList())
  return (plain) => {
    const text = plain.normalize('NFKC').toLowerCase()
    if (new Set(text).size <= 2 || list.has(text)) return true
    const word = text.replace(SUFFIX, '')
    return list.has(word) || list.has(word.replaceAll(/[@4310!$57]/g, (sign) => LOOK_ALIKES[sign] ?? sign))
  }
}

/** 32 000 words of 4 characters or more, in lower case. */
function readList(): string[] {
  const file = readFileSync(new URL('./common-passwords.txt.gz', import.meta.url))
  return gunzipSync(file).toString('utf8').trimEnd().split('\n')
}
