import { createError } from '@fastify/error'

/** 401: forged, unknown, expired, idle or revoked. */
export const RefreshTokenInvalid = createError(
  'REFRESH_TOKEN_INVALID',
  'The refresh token is invalid or has expired',
  401
)

/** 401: an old token came back after the grace period; its session has ended. */
export const RefreshTokenReused = createError(
  'REFRESH_TOKEN_REUSED',
  'The refresh token was used before; the session has ended',
  401
)
