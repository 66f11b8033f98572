/** @throws when it is no URL of a mail server; the text is not shown, it may hold a password */
export function parseSmtpUrl(text: string) {
  const url = URL.parse(text)
  if (url === null || !['smtp:', 'smtps:'].includes(url.protocol) || url.hostname === '' || /[?#]/.test(text)) {
    throw new Error('mail: url must be like smtp://user:password@host:587')
  }
  const isSecure = url.protocol === 'smtps:'
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (isSecure ? 465 : 587)),
    isSecure,
    user: decodeURIComponent(url.username),
    pass: decodeURIComponent(url.password)
  }
}
