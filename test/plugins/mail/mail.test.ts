import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import PostalMime from 'postal-mime'
import t, { type Test } from 'tap'
import { html, type MailOptions, mailPlugin } from '../../../plugins/mail/index.ts'
import { startMailbox } from '../../support/mailbox.ts'

const from = 'Überdachung, "Notes" <no-reply@example.com>'.replaceAll('"', "'")
const message = {
  to: 'ada@example.com',
  subject: 'Grüße',
  text: 'Hello\n\n.\nAda',
  html: html`<p>Hello ${'<Ada>'}</p>`
}

async function start(t: Test, options: Omit<MailOptions, 'from'>) {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk))
      done()
    }
  })
  const app: FastifyInstance = Fastify({ logger: { level: 'trace', stream } })
  t.teardown(() => app.close())
  await app.register(mailPlugin, { from, ...options })
  await app.ready()
  return { app, log: () => lines.join('') }
}

t.test(
  'a mail arrives at a server as it was meant: sender, one recipient, subject, text, HTML, Message-ID',
  async (t) => {
    const mailbox = await startMailbox(t)
    const { app, log } = await start(t, { smtp: { url: mailbox.url } })

    const id = await app.mail.send({ ...message, messageId: 'job-1' })

    t.equal(id, '<job-1@example.com>')
    const mail = await mailbox.next('ada@example.com')
    t.match(mail, {
      from: { name: "Überdachung, 'Notes'", address: 'no-reply@example.com' },
      to: [{ address: 'ada@example.com' }],
      subject: 'Grüße',
      messageId: id
    })
    t.match([mail.text?.trimEnd(), mail.html?.trimEnd()], ['Hello\n\n.\nAda', '<p>Hello &lt;Ada&gt;</p>'])
    t.match(
      mail.headers.find(({ key }) => key === 'auto-submitted'),
      { value: 'auto-generated' }
    )
    t.match(log(), /"subject":"Grüße","recipient":"[\da-f]{12}","message_id":"<job-1@example.com>"/)
    t.notMatch(log(), /ada@example|Hello/, 'neither the address nor the body is logged')
  }
)

t.test('nothing smuggles in a header, a recipient or another mail', async (t) => {
  const mailbox = await startMailbox(t)
  const { app } = await start(t, { smtp: { url: mailbox.url } })
  const breaks = ['\r\n', '\n', '\r', '\0', '\u2028', '\u0085', '\t']
  const attacks = [
    ...breaks.flatMap((end) => [
      { subject: `Hi${end}Bcc: all@example.com` },
      { to: `ada@example.com${end}Bcc: all@example.com` },
      { to: `ada@example.com>${end}RCPT TO:<all@example.com` },
      { messageId: `x${end}Bcc: all@example.com` }
    ]),
    ...['ada@example.com, all@example.com', 'Ada <ada@example.com>', '"a b"@example.com', 'ada@[127.0.0.1]'].map(
      (to) => ({ to })
    ),
    ...['', '@example.com', 'ada', 'ada@', 'a da@example.com', 'ada@example.com ', 'grüße@example.com'].map((to) => ({
      to
    })),
    { to: { name: '', address: 'all@example.com' } as unknown as string },
    { to: ['ada@example.com', 'all@example.com'] as unknown as string },
    { text: { path: '/etc/passwd' } as unknown as string },
    { html: 'x'.repeat(300_000) },
    { subject: 'x'.repeat(201) },
    { messageId: 'x@example.org' }
  ]
  const sent: object[] = []
  for (const attack of attacks) {
    const outcome = await app.mail.send({ ...message, ...attack }).catch(({ code }) => code)
    if (outcome !== 'MAIL_INVALID') sent.push(attack)
  }
  t.same(sent, [])
  t.same(mailbox.delivered, [])

  await app.mail.send({ ...message, subject: '=?utf-8?Q?Hi=0D=0ABcc:_all@example.com?=' })
  const { recipients, mail } = mailbox.delivered[0] ?? { recipients: [], mail: undefined }
  t.same(recipients, ['ada@example.com'])
  t.notOk(
    mail?.headers.some(({ key }) => key === 'bcc'),
    'an encoded line break makes no header, either'
  )
})

t.test('a sender that is none, or two ways to send, stop the start', async (t) => {
  const refused = (options: object) => t.rejects(start(t, options), /mail:/, JSON.stringify(options))
  for (const from of [
    'nobody',
    'A <a@b.example>\r\nBcc: x@y.example',
    '<a@b.example',
    'a@b.example, c@d.example',
    ''
  ]) {
    await refused({ from })
  }
  for (const url of ['smtp://', 'http://example.com', 'smtp://mx.example/?x', 'mx.example'])
    await refused({ smtp: { url } })
  await refused({ smtp: { url: 'smtp://x' }, files: { folder: t.testdir() } })
  await refused({ files: { folder: t.testdir(), maxFiles: 0 } })
})

t.test('without a server or folder it is off and says so', async (t) => {
  const { app, log } = await start(t, {})
  t.equal(app.mail.isOn, false)
  await t.rejects(app.mail.send(message), { code: 'MAIL_FAILED' })
  t.match(log(), /no mail is sent/)
})

t.test('a recipient that the server does not want is told from a server that cannot now', async (t) => {
  const refuse = (responseCode: number) =>
    startMailbox(t, {
      onRcptTo: ({ address }, _, done) =>
        done(Object.assign(new Error(`<${address}> no\r\nX-Bad: 1`), { responseCode }))
    })
  for (const [responseCode, code] of [
    [550, 'MAIL_REFUSED'],
    [451, 'MAIL_FAILED']
  ] as const) {
    const { app, log } = await start(t, { smtp: { url: (await refuse(responseCode)).url } })
    await t.rejects(app.mail.send(message), { code, message: /recipient/ })
    t.notMatch(log(), 'ada@example.com')
  }
})

t.test('what a server quotes of a mail in its refusal is not told', async (t) => {
  const mailbox = await startMailbox(t, {
    onData: (stream, _, done) => {
      stream.resume()
      stream.on('end', () => done(new Error('blocked: https://app.example.com/reset#token=qxJ3jYDF4Bsecret')))
    }
  })
  const { app } = await start(t, { smtp: { url: mailbox.url } })
  await t.rejects(app.mail.send(message), { code: 'MAIL_FAILED', message: /blocked: <…>$/ })
})

t.test('a server that is out, silent or slow costs its timeout and no more', async (t) => {
  const silent = createServer((socket) => void socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  t.teardown(() => silent.close())
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  const startedAt = performance.now()
  const { app } = await start(t, { smtp: { url: `smtp://127.0.0.1:${port}`, greetingTimeoutMs: 100 } })
  await t.rejects(app.mail.send(message), { code: 'MAIL_FAILED' })
  const stuck = await startMailbox(t, { onData: (stream) => void stream.resume() })
  const { app: second } = await start(t, { smtp: { url: stuck.url, idleTimeoutMs: 100 } })
  await t.rejects(second.mail.send(message), { code: 'MAIL_FAILED' })
  const { app: third } = await start(t, { smtp: { url: 'smtp://127.0.0.1:1' } })
  await t.rejects(third.mail.send(message), { code: 'MAIL_FAILED' })
  t.ok(performance.now() - startedAt < 5000)
})

t.test('a password is never sent without TLS, nor over TLS that proves nothing', async (t) => {
  const passwords: unknown[] = []
  const onAuth = (auth: { password?: unknown }, _: object, done: (error: null, response: object) => void) => {
    passwords.push(auth.password)
    done(null, { user: 1 })
  }
  const withAuth = (mailbox: { url: string }) => mailbox.url.replace('//', '//user:hunter2@')
  const plain = await startMailbox(t, { disabledCommands: ['STARTTLS'], allowInsecureAuth: true, onAuth })
  const { app, log } = await start(t, { smtp: { url: withAuth(plain) } })
  await t.rejects(app.mail.send(message), { code: 'MAIL_FAILED' })
  // Its certificate is the package's own, which no authority has signed.
  const tls = await startMailbox(t, { disabledCommands: [], onAuth })
  const { app: second } = await start(t, { smtp: { url: withAuth(tls) } })
  await t.rejects(second.mail.send(message), { code: 'MAIL_FAILED' })
  t.same([passwords, tls.delivered], [[], []])
  t.notMatch(log(), /hunter2/)

  const { app: third } = await start(t, { smtp: { url: withAuth(tls), tls: { rejectUnauthorized: false } } })
  await third.mail.send(message)
  t.same([passwords, tls.delivered.length], [['hunter2'], 1])
})

t.test('a folder keeps the newest mails, whole and for its owner only', async (t) => {
  const folder = join(t.testdir(), 'mail')
  const { app } = await start(t, { files: { folder, maxFiles: 3 } })
  for (let n = 1; n <= 5; n++) await app.mail.send({ ...message, subject: `Number ${n}`, messageId: `n-${n}` })

  const files = readdirSync(folder).sort()
  t.equal(files.length, 3)
  t.match(files.join(), /n-3\.eml.*n-4\.eml.*n-5\.eml/)
  const file = join(folder, files[2] ?? '')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(statSync(folder).mode & 0o777, 0o700)
  t.match(await PostalMime.parse(readFileSync(file)), { subject: 'Number 5', to: [{ address: 'ada@example.com' }] })
})

t.test('html escapes what it is given, and nothing twice', async (t) => {
  const evil = `<script>"'&`
  const safe = '&lt;script&gt;&quot;&#39;&amp;'
  t.equal(String(html`<a title="${evil}">${html`<b>${evil}</b>`}</a>`), `<a title="${safe}"><b>${safe}</b></a>`)
  t.equal(
    String(html`<ul>${['a', '<'].map((item) => html`<li>${item}</li>`)}</ul>`),
    '<ul><li>a</li><li>&lt;</li></ul>'
  )
})
