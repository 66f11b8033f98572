import { createError } from '@fastify/error'

/** One answer for an unknown user and a wrong password. */
export const InvalidCredentials = createError('INVALID_CREDENTIALS', 'The identifier or the password is wrong', 401)
export const AccountInactive = createError('ACCOUNT_INACTIVE', 'This account is deactivated', 403)
export const EmailNotVerified = createError(
  'EMAIL_NOT_VERIFIED',
  'The e-mail address of this account is not verified yet; ask for another mail if none has come',
  403
)
/** One answer for a token that never was, was used, has expired or was overtaken by a change of the account. */
export const AccountTokenInvalid = createError(
  'ACCOUNT_TOKEN_INVALID',
  'This link is not or no longer good: it works once, and not for long',
  422
)
export const CrossSiteRequest = createError(
  'CROSS_SITE_REQUEST',
  'The refresh cookie is accepted from this site only; other clients send the token in the body',
  403
)
export const TwoRefreshTokens = createError(
  'TWO_REFRESH_TOKENS',
  'Send the refresh token in the cookie or in the body, not both',
  400
)

/** RFC 6749 §5.2: the argument names the missing parameters. */
export const InvalidTokenRequest = createError<[string]>('INVALID_REQUEST', 'This grant needs %s', 400)
export const UnsupportedGrantType = createError(
  'UNSUPPORTED_GRANT_TYPE',
  'The grants are password and refresh_token',
  400
)
