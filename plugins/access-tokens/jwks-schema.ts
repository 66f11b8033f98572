const jwk = {
  type: 'object',
  description: 'JSON Web Key; `kty` says which further members it has (RFC 7518 §6, RFC 8037)',
  required: ['kty', 'use', 'alg', 'kid'],
  properties: {
    kty: { type: 'string', enum: ['OKP', 'EC', 'RSA'] },
    use: { type: 'string', enum: ['sig'] },
    alg: { type: 'string', enum: ['EdDSA', 'ES256', 'RS256'] },
    kid: { type: 'string', maxLength: 64 },
    crv: { type: 'string', maxLength: 16 },
    x: { type: 'string', maxLength: 64 },
    y: { type: 'string', maxLength: 64 },
    n: { type: 'string', maxLength: 4096 },
    e: { type: 'string', maxLength: 16 }
  }
}

export const jwksSchema = {
  operationId: 'getJwks',
  tags: ['auth'],
  summary: 'Public keys',
  description: 'The public keys that verify access tokens (RFC 7517 §5). Empty while tokens are signed symmetrically.',
  response: {
    200: {
      type: 'object',
      description: 'JSON Web Key Set',
      required: ['keys'],
      properties: { keys: { type: 'array', maxItems: 100, items: jwk } }
    }
  }
}
