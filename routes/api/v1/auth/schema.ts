import { Type } from '@sinclair/typebox'
import { Email, Nullable, StringEnum, text } from '../../../../plugins/validation/schema.ts'
import { User } from '../users/schema.ts'

const Password = (description: string) => text(128, { minLength: 1, description })
const NEW_PASSWORD = '8 to 128 characters after NFC, no common password, not the own address or username'

export const Registration = Type.Object(
  {
    email: text(254, { format: 'email' }),
    username: text(64, {
      minLength: 3,
      description: '3 to 30 of a–z, 0–9, `_`, `.` and `-`, starting with a letter or digit; stored in lower case'
    }),
    password: Password(NEW_PASSWORD),
    name: Type.Optional(Nullable(text(100, { minLength: 1 })))
  },
  { $id: 'Registration', additionalProperties: false }
)

export const Login = Type.Object(
  {
    identifier: text(254, { minLength: 1, description: 'E-mail address or username' }),
    password: Password('The password'),
    delivery: Type.Optional(
      StringEnum(['cookie', 'body'], {
        default: 'cookie',
        description: 'Where the refresh token goes: an HttpOnly cookie (browsers) or the body (other clients)'
      })
    )
  },
  { $id: 'Login', additionalProperties: false }
)

const tokens = {
  access_token: text(4096),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer({ minimum: 1, maximum: 86_400, description: 'Seconds' }),
  refresh_token: Type.Optional(text(512, { description: 'Only with delivery by body' }))
}

export const Tokens = Type.Object(tokens, { $id: 'Tokens' })
export const SignedIn = Type.Object({ ...tokens, user: User }, { $id: 'SignedIn' })

/** No body at all when the cookie brings the token. */
export const RefreshToken = Nullable(
  Type.Object(
    { refresh_token: Type.Optional(text(512, { minLength: 1 })) },
    { $id: 'RefreshToken', additionalProperties: false, description: 'Empty when the cookie brings the token' }
  )
)

/** Whom a mail is for, if there is such an account. */
export const MailRequest = Type.Object({ email: Email() }, { $id: 'MailRequest', additionalProperties: false })

const token = text(64, { minLength: 1, description: 'What the link in the mail has behind `#token=`' })
export const AccountToken = Type.Object({ token }, { $id: 'AccountToken', additionalProperties: false })
export const PasswordReset = Type.Object(
  { token, new_password: Password(NEW_PASSWORD) },
  { $id: 'PasswordReset', additionalProperties: false }
)

/** How many sessions an operation on all of them ended. */
export const SessionsRevoked = Type.Object(
  { sessions_revoked: Type.Integer({ minimum: 0, maximum: 2_147_483_647 }) },
  { $id: 'SessionsRevoked' }
)

/** RFC 6749 §4.3.2 and §6; unknown parameters are ignored as §3.2 demands. */
export const TokenRequest = Type.Object(
  {
    grant_type: text(64, { minLength: 1, description: '`password` or `refresh_token`' }),
    username: Type.Optional(text(254, { description: 'E-mail address or username' })),
    password: Type.Optional(text(128)),
    refresh_token: Type.Optional(text(512)),
    scope: Type.Optional(text(1024)),
    client_id: Type.Optional(text(256)),
    client_secret: Type.Optional(text(256))
  },
  { $id: 'TokenRequest' }
)

/** RFC 6749 §5.1. */
export const TokenResponse = Type.Object(
  { ...tokens, refresh_token: text(512) },
  { $id: 'TokenResponse', description: 'RFC 6749 §5.1' }
)

/** RFC 6749 §5.2. */
export const TokenError = Type.Object(
  {
    error: StringEnum([
      'invalid_request',
      'invalid_grant',
      'unsupported_grant_type',
      'temporarily_unavailable',
      'server_error'
    ]),
    error_description: text(1000)
  },
  { $id: 'TokenError', description: 'RFC 6749 §5.2' }
)
