import { html } from '../plugins/mail/index.ts'
import type { Config } from './config.ts'

/**
 * What is mailed to users. Nothing in it comes from anybody but the operator: a username has no room for a message, and
 * links lead to `PUBLIC_URL`, whatever a request says; where it may be missing, to this machine.
 */
export function createLetters({ APP_NAME, PUBLIC_URL, PORT }: Config) {
  const service = APP_NAME.slice(0, 60)
  const publicUrl = PUBLIC_URL ?? `http://127.0.0.1:${PORT}`
  // Behind `#`: browsers keep it to themselves, so that no server, log or referrer sees the token.
  const link = (page: string, token: string) => `${publicUrl}/${page}#token=${token}`

  return {
    verify_email: (username: string, token: string) =>
      letter(
        `${service}: confirm your e-mail address`,
        [`Hello ${username},`, 'please confirm that this is your e-mail address. The link works for 24 hours.'],
        link('verify-email', token),
        'If you have no account there, ignore this mail.'
      ),
    reset_password: (username: string, token: string) =>
      letter(
        `${service}: choose a new password`,
        [
          `Hello ${username},`,
          'somebody, hopefully you, asked for a new password. The link works once, for 30 minutes.'
        ],
        link('reset-password', token),
        'If it was not you, ignore this mail: your password stays as it is.'
      ),
    change_email: (username: string, token: string) =>
      letter(
        `${service}: confirm your new e-mail address`,
        [
          `Hello ${username},`,
          'please confirm that this is to be the address of your account. The link works for one hour.'
        ],
        link('confirm-email', token),
        'If you have no account there, ignore this mail.'
      ),
    email_change_requested: (username: string) =>
      letter(`${service}: your e-mail address is about to change`, [
        `Hello ${username},`,
        'somebody who knows your password asked for another e-mail address for your account. Until it is confirmed there, this one stays.',
        'If it was not you, change your password now: that puts an end to it.'
      ]),
    email_changed: (username: string) =>
      letter(`${service}: your e-mail address was changed`, [
        `Hello ${username},`,
        'your account has another e-mail address now, and this one is no longer used.',
        'If it was not you, turn to the people who run the service.'
      ]),
    password_changed: (username: string) =>
      letter(`${service}: your password was changed`, [
        `Hello ${username},`,
        'the password of your account was changed, and your other sessions were ended.',
        'If it was not you, choose a new password now (“forgot password”).'
      ])
  }
}

export type Letters = ReturnType<typeof createLetters>

declare module 'fastify' {
  interface FastifyInstance {
    letters: Letters
  }
}

function letter(subject: string, paragraphs: string[], url?: string, ending?: string) {
  const before = paragraphs.map((text) => html`<p>${text}</p>`)
  const action = url === undefined ? [] : [html`<p><a href="${url}">${url}</a></p>`]
  const after = ending === undefined ? [] : [html`<p>${ending}</p>`]
  return {
    subject,
    text: [...paragraphs, url, ending].filter((part) => part !== undefined).join('\n\n'),
    html: html`<!doctype html><html lang="en"><body>${[...before, ...action, ...after]}</body></html>`
  }
}
